import AWSProtocol
import Logging
import RecordBatch
import ShardLog
import StreamKeys
import StreamModel
import Testing

@testable import Collector

@Suite("pages of records")
struct RecordPageTests {
    private typealias Record = (key: String, data: String)

    private let shard = Shard(id: ShardID(3), range: .all, created: 1_795_000_000, opened: 1_795_000_000_000)

    /// One frame per list.
    private func slab(_ frames: [[Record]]) -> FrameSlab {
        var bytes: [UInt8] = []
        var slab = FrameSlab(bytes: .none, frames: [], next: Position(rawValue: 100), isAtEnd: false)
        for (number, records) in frames.enumerated() {
            var run = RecordRun(reserving: 64)
            for record in records {
                Array(record.key.utf8).withUnsafeBytes { key in
                    Array(record.data.utf8).withUnsafeBytes { data in run.append(key: key, value: data) }
                }
            }
            let frame = FrameEncoder.seal(
                [run],
                shard: 3,
                baseOffset: 0,
                arrivalMilliseconds: 1_795_000_001_007 + Int64(number) * 1000,
                epoch: 1,
                source: .kinesis
            )
            let start = bytes.count
            bytes += [UInt8](frame)
            slab.frames.append(
                FrameSlab.Frame(position: Position(rawValue: UInt64(number) + 10), range: start..<bytes.count)
            )
        }
        slab.bytes = FrameBytes(bytes)
        return slab
    }

    private func page(
        _ slab: FrameSlab,
        from position: UInt64 = 0,
        index: Int = 0,
        _ format: WireFormat = .json,
        records: Int = 1000,
        bytes: Int = 1_000_000
    ) throws -> (page: RecordPage, list: [JSONValue]) {
        let page = try RecordPage(
            slab,
            from: Position(rawValue: position),
            index: index,
            of: RecordSource(
                shard: shard,
                uid: "u",
                region: "us-east-1",
                keys: KeyRing(
                    .none,
                    account: "000000000000",
                    now: { 0 },
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                )
            ),
            as: format,
            limit: RecordPage.Limit(records: records, bytes: bytes)
        )
        let tree = try format == .json ? JSONValue(parsing: page.bytes) : JSONValue(parsingCBOR: page.bytes)
        return (page, try #require(tree.array))
    }

    private let frames: [[Record]] = [[("k", "one"), ("ü\"\n", "")], [("", "three"), ("k", "four")]]

    @Test("hold the same in JSON and in CBOR: base64 and seconds there, byte strings and milliseconds here")
    func formats() throws {
        let json = try page(slab(frames)).list
        let cbor = try page(slab(frames), .cbor).list
        #expect(json.count == 4 && cbor.count == 4)
        for (one, other) in zip(json, cbor) {
            #expect(one["SequenceNumber"] == other["SequenceNumber"])
            #expect(one["PartitionKey"] == other["PartitionKey"])
            #expect(one["Data"]?.string.flatMap(Base64.decode).map(JSONValue.bytes) == other["Data"])
        }
        #expect(json[0]["ApproximateArrivalTimestamp"] == .number("1795000001.007"))
        #expect(cbor[0]["ApproximateArrivalTimestamp"] == .number("1795000001007"))
        #expect(json[1]["PartitionKey"]?.string == "ü\"\n")
    }

    @Test("leave the partition key out of a record that has none")
    func keyless() throws {
        for format in [WireFormat.json, .cbor] {
            let members = try page(slab(frames), format).list[2].members
            #expect(members?.map(\.name) == ["SequenceNumber", "ApproximateArrivalTimestamp", "Data"])
        }
    }

    @Test("end at their limits and say where to go on; the first record comes whatever its size")
    func limits() throws {
        let whole = try page(slab(frames)).page
        #expect(whole.isComplete && whole.next == Position(rawValue: 100) && whole.userBytes == 3 + 1 + 4 + 5 + 5)
        let three = try page(slab(frames), records: 3).page
        #expect(!three.isComplete && three.next == Position(rawValue: 11) && three.nextIndex == 1 && three.count == 3)
        let small = try page(slab(frames), bytes: 1)
        #expect(small.page.count == 1 && small.page.nextIndex == 1 && small.page.next == Position(rawValue: 10))
        let rest = try page(slab(frames), from: 10, index: 1)
        #expect(rest.list.count == 3 && rest.page.lastArrival == 1_795_000_002_007)
    }

    @Test("end before a damaged frame, and refuse to begin with one")
    func damage() throws {
        var damaged = slab(frames)
        var bytes = [UInt8](damaged.bytes)
        bytes[bytes.count - 3] ^= 1
        damaged.bytes = FrameBytes(bytes)
        let good = try page(damaged).page
        #expect(good.count == 2 && good.next == Position(rawValue: 11) && good.nextIndex == 0 && !good.isComplete)
        damaged.frames.removeFirst()
        #expect(throws: FrameError.batchChecksum) { try page(damaged) }
    }
}
