import DiskIO
import RecordBatch

/// Walks a segment's frames in order, reading a piece at a time.
struct SegmentWalk {
    /// How a walk ended.
    enum End: Equatable {
        /// At the limit, with whole frames all the way.
        case whole
        /// At bytes that are no frame.
        case broken(at: UInt64, FrameError)
    }

    let file: any DiskFile
    /// Bytes from here on are not looked at.
    let limit: UInt64
    /// Whether the records' checksums are verified too.
    let verifies: Bool

    /// Calls `body` with each frame's offset and header until it returns false.
    func run(
        from start: UInt64,
        _ body: (UInt64, FrameHeader) -> Bool
    ) throws(DiskError) -> End {
        var at = start
        var buffer: [UInt8] = []
        var bufferStart = start
        while at < limit {
            let need = verifies ? 1 << 20 : 64 * 1024
            var result: Result<FrameHeader, FrameError> = .failure(.short)
            for _ in 0..<2 {
                result = Self.frame(buffer, Int(at - bufferStart), verifies: verifies)
                guard case .failure(.short) = result else { break }
                // A frame may be longer than a piece: its header, once seen, tells how long.
                let have = buffer.count - Int(at - bufferStart)
                let length = have >= FrameHeader.size ? Self.length(buffer, Int(at - bufferStart)) : 0
                bufferStart = at
                buffer = try file.read(min(max(need, length), Int(limit - at)), at: at)
                result = Self.frame(buffer, 0, verifies: verifies)
                if case .failure(.short) = result, Self.length(buffer, 0) <= buffer.count { break }
            }
            switch result {
            case .failure(let error): return .broken(at: at, error)
            case .success(let header):
                guard at + UInt64(header.frameLength) <= limit else { return .broken(at: at, .short) }
                if !body(at, header) { return .whole }
                at += UInt64(header.frameLength)
            }
        }
        return .whole
    }

    /// The header at an offset; nil when there is none.
    static func header(_ file: any DiskFile, at offset: UInt64) throws(DiskError) -> FrameHeader? {
        let bytes = try file.read(FrameHeader.size, at: offset)
        return bytes.withUnsafeBytes { try? FrameHeader(peeking: $0) }
    }

    private static func length(_ buffer: [UInt8], _ offset: Int) -> Int {
        guard offset >= 0, offset < buffer.count else { return 0 }
        return buffer.withUnsafeBytes { bytes in
            (try? FrameHeader(peeking: UnsafeRawBufferPointer(rebasing: bytes[offset...])))?.frameLength ?? 0
        }
    }

    private static func frame(_ buffer: [UInt8], _ offset: Int, verifies: Bool) -> Result<FrameHeader, FrameError> {
        guard offset >= 0, offset < buffer.count else { return .failure(.short) }
        return buffer.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            do throws(FrameError) {
                return .success(verifies ? try FrameView(validating: rest).header : try FrameHeader(peeking: rest))
            } catch {
                if case .version = error, !FrameView.hasWholeHead(rest) { return .failure(.headerChecksum) }
                return .failure(error)
            }
        }
    }
}
