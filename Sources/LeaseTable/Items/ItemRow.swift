import AWSProtocol
import DynamoDBTypes
import StateStore

/// An item's stored form: a version byte, eight bytes that tell this write from every other one, and the item's JSON.
struct ItemRow: Sendable {
    private static let version: UInt8 = 1

    /// Tells whether a write whose outcome is unknown is the one that stands here.
    var nonce: UInt64
    /// The item.
    var item: Item

    init(item: Item, nonce: UInt64 = .random(in: .min ... .max)) {
        self.item = item
        self.nonce = nonce
    }

    /// Reads a stored row. Throws `corrupt`.
    init(_ entry: StateEntry) throws(StateStoreError) {
        let bytes = entry.value
        guard bytes.count > 9, bytes[0] == Self.version else {
            throw .corrupt("the row \(entry.key) is not an item of a known format")
        }
        nonce = bytes[1..<9].reduce(0) { $0 << 8 | UInt64($1) }
        do {
            item = try Item(json: try JSONValue(parsing: bytes[9...]))
        } catch {
            throw .corrupt("the row \(entry.key) does not hold an item: \(error)")
        }
    }

    /// The bytes to store.
    var bytes: [UInt8] {
        var writer = JSONWriter(reserving: 512)
        item.write(to: &writer)
        var head = [Self.version]
        for shift in stride(from: 56, through: 0, by: -8) { head.append(UInt8(truncatingIfNeeded: nonce >> shift)) }
        return head + writer.bytes
    }
}
