/// A frame's records, readable. Valid as long as the bytes they stand in.
public struct FrameRecords {
    /// How many there are.
    public let count: Int
    /// Whether they are stored encrypted.
    public let isEncrypted: Bool
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer, count: Int, isEncrypted: Bool) {
        self.bytes = bytes
        self.count = count
        self.isEncrypted = isEncrypted
    }

    /// Hands out records in order from `index` until `body` returns false. Skipping a record costs a few nanoseconds.
    /// Throws `FrameError.records` on bytes that no encoder made, and whatever `body` throws.
    public func forEach(
        from index: Int,
        _ body: (_ index: Int, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        var at = 0
        for record in 0..<count {
            guard let length = Varint.read(bytes, &at), length >= 0, length <= bytes.count - at else {
                throw FrameError.records
            }
            let end = at + length
            if record >= index {
                at += 1
                guard Varint.read(bytes, &at) != nil, Varint.read(bytes, &at) != nil,
                    let key = Self.field(bytes, &at, end), let value = Self.field(bytes, &at, end)
                else { throw FrameError.records }
                if try !body(record, key, value) { return }
            }
            at = end
        }
    }

    /// A length and that many bytes; a null field is empty.
    @inline(__always)
    private static func field(_ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int) -> UnsafeRawBufferPointer? {
        guard let length = Varint.read(bytes, &at), at <= end, length >= -1, length <= end - at else { return nil }
        let field = UnsafeRawBufferPointer(rebasing: bytes[at..<at + max(0, length)])
        at += max(0, length)
        return field
    }
}
