import ShardLog
import StreamModel
import Testing

@testable import Collector

@Suite("a cursor's number")
struct ReadCursorTests {
    private let shard = Shard(id: ShardID(3), range: .all, created: 1_795_000_000, opened: 1_795_000_000_000)

    @Test("leads back to the cursor, and lies between the records before and behind it")
    func exact() throws {
        for position in [0, 1, 2, 64, 4096, 1 << 40] as [UInt64] {
            for index in [0, 1, 2, 65_534, 65_535] where position > 0 || index == 0 {
                let cursor = ReadCursor(Position(rawValue: position), index: index)
                let number = cursor.numberBefore(in: shard, time: 1_795_000_001)
                let read = try #require(SequenceNumber(decimal: number.description))
                // No frame stands at 0: in front of all and behind the shard's own number are one place.
                let expected = position == 0 ? ReadCursor(Position(rawValue: 0), index: 1) : cursor
                #expect(ReadCursor(after: read) == expected)
                let next = SequenceNumber(
                    created: shard.created,
                    position: position,
                    index: index,
                    time: 1_795_000_000,
                    shard: 3
                )
                #expect(position == 0 || number < next)
                #expect(shard.startingSequenceNumber <= number)
            }
        }
    }

    @Test("behind the last record that a frame can hold is the next frame")
    func wraps() {
        let last = SequenceNumber(created: 1, position: 7, index: 65_535, time: 1, shard: 0)
        #expect(ReadCursor(after: last) == ReadCursor(Position(rawValue: 8)))
    }
}
