/// Memory that frames are made in: taken once for many of them, and given back when the last one is let go of.
///
/// `@unchecked`: whoever makes a frame writes to its own part alone, and before that is handed on as `FrameBytes`. Nobody
/// writes there again.
public final class FrameMemory: @unchecked Sendable {
    /// All of it. It begins with whatever was there before.
    public let bytes: UnsafeMutableRawBufferPointer

    /// Takes so many bytes, from a multiple of `alignment` on.
    public init(count: Int, alignment: Int = MemoryLayout<UInt64>.alignment) {
        bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: alignment)
    }

    deinit { bytes.deallocate() }
}

/// Bytes of frames, in memory that others may share. They don't change.
public struct FrameBytes: Sendable {
    private let memory: FrameMemory
    private let start: Int
    /// How many.
    public let count: Int

    /// A part of some memory, written and done with.
    public init(_ memory: FrameMemory, _ range: Range<Int>) {
        precondition(range.upperBound <= memory.bytes.count)
        self.memory = memory
        start = range.lowerBound
        count = range.count
    }

    /// A copy.
    public init(_ bytes: [UInt8]) {
        self.init(FrameMemory(count: bytes.count), 0..<bytes.count)
        memory.bytes.copyBytes(from: bytes)
    }

    /// No bytes.
    public static let none = FrameBytes([])

    /// The first of the bytes, all the same memory.
    public func prefix(_ count: Int) -> FrameBytes { FrameBytes(memory, start..<start + min(count, self.count)) }

    /// The bytes in memory that is theirs alone, or nearly: whoever keeps a few of many must not keep the others with them.
    public var compact: FrameBytes {
        if count >= memory.bytes.count / 2 { return self }
        let own = FrameMemory(count: count)
        withUnsafeBytes { own.bytes.copyMemory(from: $0) }
        return FrameBytes(own, 0..<count)
    }

    /// Calls `body` with the bytes.
    @inlinable
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let result = try body(unsafeBytes)
        extendLifetime(self)
        return result
    }

    /// The bytes, for as long as somebody keeps this.
    public var unsafeBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory.bytes.baseAddress.map { UnsafeRawPointer($0) + start }, count: count)
    }
}

extension [UInt8] {
    /// A copy of a frame's bytes.
    public init(_ bytes: FrameBytes) { self = bytes.withUnsafeBytes { [UInt8]($0) } }
}
