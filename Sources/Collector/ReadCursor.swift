import ShardLog
import StreamModel

/// Where reading goes on: in front of one record of a shard.
///
/// A cursor and the counter of a sequence number say the same: position and index, one behind the other. So the place in
/// front of any record has a number too, the one just below that record's, whether or not a record has it. That number is
/// where AFTER_SEQUENCE_NUMBER goes on exactly there, also before the first record has come.
struct ReadCursor: Sendable, Equatable {
    /// The frame; the next one where none stands there.
    var position: Position
    /// Of the record in the frame that stands at `position`, counted from 0.
    var index: Int

    init(_ position: Position, index: Int = 0) {
        self.position = position
        self.index = index
    }

    /// At the record of that number, inclusive.
    init(at number: SequenceNumber) { self.init(Position(rawValue: number.position), index: number.index) }

    /// Behind the record of that number. Behind a shard's StartingSequenceNumber stands its first record.
    init(after number: SequenceNumber) {
        let counter = number.counter == .max ? .max : number.counter + 1
        self.init(Position(rawValue: counter >> 16), index: Int(counter & 0xFFFF))
    }

    /// The number that AFTER_SEQUENCE_NUMBER reads on from here with. `time` in seconds since 1970 orders numbers of one
    /// cursor, and means nothing else.
    func numberBefore(in shard: Shard, time: UInt64) -> SequenceNumber {
        // A frame of 65,536 records is the largest there is: an index of as many is the next position.
        let counter = position.rawValue << 16 + UInt64(index)
        return SequenceNumber(
            created: shard.created,
            counter: counter == 0 ? 0 : counter - 1,
            time: max(time, shard.created),
            shard: shard.id.index
        )
    }
}
