import AWSProtocol
import DynamoDBTypes
import StateStore

/// A table as it is stored, in one row: what its user decided, and which incarnation it is.
struct TableDefinition: Sendable, Equatable {
    /// What its user decided.
    var shape: TableShape
    /// A UUID that is new with each creation of a table of this name; its items' namespace has it.
    var id: String
    /// When it was created, in milliseconds since 1970.
    var createdMilliseconds: Int64

    static func key(region: String, name: String) -> StateKey { StateKey("tables", "\(region)/\(name)") }

    /// Where its items stand.
    func namespace(region: String) -> String { "table/\(region)/\(id)" }

    /// The bytes to store.
    var bytes: [UInt8] {
        jsonBytes { writer in
            writer.name("Version")
            writer.integer(1)
            writer.name("TableId")
            writer.string(id)
            writer.name("CreatedMilliseconds")
            writer.integer(createdMilliseconds)
            writer.name("Table")
            writer.object { shape.write(to: &$0) }
        }
    }

    init(shape: TableShape, id: String, createdMilliseconds: Int64) {
        self.shape = shape
        self.id = id
        self.createdMilliseconds = createdMilliseconds
    }

    /// Reads a stored row. Throws `corrupt`.
    init(_ entry: StateEntry) throws(StateStoreError) {
        do {
            var reader = try RequestReader(body: entry.value)
            let shape = try reader.structure("Table") { (nested) throws(AWSError) in try TableShape(reading: &nested) }
            guard reader.raw("Version")?.integer == 1, let shape, let id = reader.raw("TableId")?.string,
                let created = reader.raw("CreatedMilliseconds")?.integer
            else { throw AWSError.serialization("a member is missing, or the version is unknown") }
            self.init(shape: shape, id: id, createdMilliseconds: created)
        } catch {
            throw .corrupt("the row \(entry.key) is no table definition: \(error)")
        }
    }

    /// A new identity: a random UUID.
    static func newID() -> String {
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
        }
        let high = UInt64.random(in: .min ... .max)
        let low = UInt64.random(in: .min ... .max)
        let version = (high & 0x0FFF) | 0x4000
        let variant = (low >> 48 & 0x3FFF) | 0x8000
        return [
            hex(high >> 32, 8), hex(high >> 16 & 0xFFFF, 4), hex(version, 4), hex(variant, 4),
            hex(low & 0xFFFF_FFFF_FFFF, 12),
        ].joined(separator: "-")
    }
}
