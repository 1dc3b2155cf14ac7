import AWSProtocol
import ShardLog
import SinkFiles
import StateStore

/// Where reading goes on in one shard.
struct ShardCursor: Sendable, Equatable {
    /// The frame that holds the next record, or any position behind the last frame read.
    var position = Position.start
    /// Records of that frame already taken.
    var index = 0
    /// A closed shard of which everything was taken.
    var isFinished = false
}

/// What is delivered, as a delivery stream's second state row holds it. One row, so that positions and the file that
/// they belong to change together.
///
/// ```
/// positions, nothing pending   reading on from positions; every record before them is in a finished file
/// positions, pending           the pending file is complete under its temporary name, or already in its place;
///                              once it is in its place, its positions are the positions
/// ```
struct DeliveryProgress: Sendable, Equatable {
    struct Pending: Sendable, Equatable {
        var bucket: String
        var file: PendingFile
        var records: Int
        var positions: [UInt32: ShardCursor]
    }

    static let namespace = "delivery-progress"

    var positions: [UInt32: ShardCursor] = [:]
    var pending: Pending?
    var files = 0
    var records = 0
    var bytes = 0

    static func key(_ config: DeliveryConfig) -> StateKey {
        StateKey(namespace, "\(config.region)/\(config.name)/\(config.uid)")
    }

    /// The pending file is in its place.
    mutating func commit() {
        guard let pending else { return }
        positions = pending.positions
        files += 1
        records += pending.records
        bytes += pending.file.byteCount
        self.pending = nil
    }

    func encoded() -> [UInt8] {
        jsonBytes(reserving: 1024) { writer in
            writer.integer("format", 1)
            writer.integer("files", Int64(files))
            writer.integer("records", Int64(records))
            writer.integer("bytes", Int64(bytes))
            writer.name("positions")
            writer.array { Self.write(positions, to: &$0) }
            guard let pending else { return }
            writer.name("pending")
            writer.object {
                $0.string("bucket", pending.bucket)
                $0.string("temporary", pending.file.temporary)
                $0.string("final", pending.file.final.description)
                $0.integer("byteCount", Int64(pending.file.byteCount))
                $0.integer("records", Int64(pending.records))
                $0.name("positions")
                $0.array { Self.write(pending.positions, to: &$0) }
            }
        }
    }

    private static func write(_ positions: [UInt32: ShardCursor], to writer: inout JSONWriter) {
        for (shard, cursor) in positions.sorted(by: { $0.key < $1.key }) {
            writer.array {
                $0.integer(shard)
                $0.integer(cursor.position.rawValue)
                $0.integer(cursor.index)
                $0.bool(cursor.isFinished)
            }
        }
    }

    init(positions: [UInt32: ShardCursor] = [:]) { self.positions = positions }

    /// Throws `StateStoreError.corrupt` when the row is not one of ours.
    init(_ entry: StateEntry) throws(StateStoreError) {
        let row: JSONValue
        do {
            row = try JSONValue(parsing: entry.value)
        } catch {
            throw .corrupt("delivery progress row \(entry.key): \(error)")
        }
        guard row["format"]?.integer == 1, let positions = Self.positions(row["positions"]),
            let files = row["files"]?.integer, let records = row["records"]?.integer, let bytes = row["bytes"]?.integer
        else { throw .corrupt("delivery progress row \(entry.key): a member is missing or its format is not known") }
        self.positions = positions
        self.files = Int(files)
        self.records = Int(records)
        self.bytes = Int(bytes)
        guard let pending = row["pending"] else { return }
        guard let bucket = pending["bucket"]?.string, let temporary = pending["temporary"]?.string,
            let final = pending["final"]?.string, let byteCount = pending["byteCount"]?.integer,
            let count = pending["records"]?.integer, let after = Self.positions(pending["positions"])
        else { throw .corrupt("delivery progress row \(entry.key): a member of 'pending' is missing") }
        do {
            let file = PendingFile(temporary: temporary, final: try SinkPath(final), byteCount: Int(byteCount))
            self.pending = Pending(bucket: bucket, file: file, records: Int(count), positions: after)
        } catch {
            throw .corrupt("delivery progress row \(entry.key): \(error)")
        }
    }

    private static func positions(_ value: JSONValue?) -> [UInt32: ShardCursor]? {
        guard let rows = value?.array else { return nil }
        var positions: [UInt32: ShardCursor] = [:]
        for row in rows {
            guard let parts = row.array, parts.count == 4, let shard = parts[0].integer.flatMap(UInt32.init(exactly:)),
                case .number(let text) = parts[1], let position = UInt64(text), let index = parts[2].integer,
                let isFinished = parts[3].bool
            else { return nil }
            positions[shard] = ShardCursor(
                position: Position(rawValue: position),
                index: Int(index),
                isFinished: isFinished
            )
        }
        return positions
    }
}
