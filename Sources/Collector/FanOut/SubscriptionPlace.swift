import AWSProtocol
import StreamModel

/// Where a subscription stands behind its last event, and the members of an event that tell it.
struct SubscriptionPlace {
    var cursor: ReadCursor
    /// Seconds since 1970 in the last number that was sent or came: numbers don't go back when the clock does.
    var lastTime: UInt64
    /// Of the last record sent, in milliseconds since 1970.
    var lastArrival: Int64?
    /// Whether more was there when the last event was sent.
    var isBehind = false

    /// How old a record is at `now`, both in milliseconds since 1970.
    static func age(_ arrival: Int64?, _ now: Int64) -> Int64 { max(0, now - (arrival ?? now)) }

    /// Ends an event behind which more may come.
    mutating func writeContinuation(
        _ behind: Int64,
        in shard: Shard,
        _ now: Int64,
        to writer: inout AnswerWriter
    ) {
        // In the middle of a frame the number has its last record's counter, and is not to lie below it.
        lastTime = max(lastTime, UInt64(max(0, now, lastArrival ?? 0) / 1000))
        writer.name("ContinuationSequenceNumber")
        writer.string(cursor.numberBefore(in: shard, time: lastTime).description)
        writer.name("MillisBehindLatest")
        writer.integer(behind)
    }

    /// Ends a shard's last event: there is no number to go on with, but its children.
    func writeEnd(_ behind: Int64, _ children: [Shard], to writer: inout AnswerWriter) {
        writer.name("MillisBehindLatest")
        writer.integer(behind)
        writer.name("ChildShards")
        writer.array { writer in for child in children { Collector.write(child: child, to: &writer) } }
    }
}
