import CChecksums

/// What the engine adds to a sealed frame when it knows where the frame will stand.
public enum FrameStamp {
    /// Makes the envelope of a frame that is written behind so many unsynced bytes, without touching the frame: the envelope
    /// is to be written in place of the frame's first 64 bytes.
    ///
    /// - Parameter envelope: 64 bytes, to be filled.
    public static func fill(
        _ envelope: UnsafeMutableRawBufferPointer,
        of frame: UnsafeRawBufferPointer,
        unsyncedBytes: Int
    ) {
        precondition(envelope.count == FrameLayout.envelope && frame.count > FrameLayout.envelope)
        envelope.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[..<FrameLayout.envelope]))
        envelope.storeBytes(
            of: UInt32(clamping: unsyncedBytes).littleEndian,
            toByteOffset: FrameLayout.unsyncedBytes,
            as: UInt32.self
        )
        let sidecar = Int(frame.load(UInt32.self, at: 48))
        let (head, rest) = (FrameLayout.headerCRC, FrameLayout.headerCRC + 4)
        var crc = millrace_crc32c(0, envelope.baseAddress, head)
        crc = millrace_crc32c(crc, envelope.baseAddress! + rest, FrameLayout.envelope - rest)
        crc = millrace_crc32c(crc, frame.baseAddress! + FrameLayout.envelope, sidecar + BatchLayout.uncovered)
        envelope.storeBytes(of: crc.littleEndian, toByteOffset: head, as: UInt32.self)
    }
}
