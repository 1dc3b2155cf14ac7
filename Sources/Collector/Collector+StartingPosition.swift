import AWSProtocol
import KinesisTypes
import ShardLog
import StreamModel

/// Where GetShardIterator and SubscribeToShard are asked to start.
struct StartingPosition: Sendable {
    /// The operation, as messages name it.
    var operation: String
    var kind: GetShardIteratorRequest.Kind
    /// For the two kinds that need one.
    var sequenceNumber: String?
    /// For `atTimestamp`, in milliseconds since 1970.
    var timestamp: Int64?
}

extension Collector {
    /// The shard that a request names, and where in it reading starts. `time` is that of the number that says so, in seconds
    /// since 1970; 0 without one.
    func start(
        at asked: StartingPosition,
        inShard name: String,
        of stream: Stream
    ) async throws(AWSError) -> (shard: Shard, cursor: ReadCursor, time: UInt64) {
        let record = stream.record
        let shard = try self.shard(name, of: record)
        let ref = stream.ref(shard.id)
        do {
            switch asked.kind {
            case .trimHorizon: return (shard, ReadCursor(try await log.bounds(ref).first), 0)
            case .latest: return (shard, ReadCursor(try await log.bounds(ref).tail), 0)
            case .atTimestamp:
                let time = try timestamp(asked)
                return (shard, ReadCursor(try await log.position(ref, arrivedAtOrAfter: time)), 0)
            case .atSequenceNumber, .afterSequenceNumber:
                let number = try sequenceNumber(asked, shard, record)
                let tail = try await log.bounds(ref).tail
                if number.counter >= SequenceNumber.endCounter { return (shard, ReadCursor(tail), number.time) }
                let cursor = asked.kind == .atSequenceNumber ? ReadCursor(at: number) : ReadCursor(after: number)
                // Waiting there for what no record will ever be would be waiting for ever.
                guard cursor.position <= tail else { throw invalid(asked, shard, record) }
                // A number that somebody made up may point into the middle of a frame.
                let position = try await log.position(ref, atOrAfter: cursor.position)
                return (shard, position == cursor.position ? cursor : ReadCursor(position), number.time)
            }
        } catch let error as ShardLogError {
            if error == .notFound { throw missingShard(shard.id.description, record.key.name) }
            throw failure(error, ref)
        } catch let error as AWSError {
            throw error
        } catch {
            throw .internalFailure
        }
    }

    private func timestamp(_ asked: StartingPosition) throws(AWSError) -> Int64 {
        let (time, current) = (asked.timestamp ?? 0, now())
        guard time <= current else {
            throw .invalidArgument(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                    + "timestampInMillis: \(time), currentTimestampInMillis: \(current)"
            )
        }
        return time
    }

    private func sequenceNumber(
        _ asked: StartingPosition,
        _ shard: Shard,
        _ record: StreamRecord
    ) throws(AWSError) -> SequenceNumber {
        guard let any = AnySequenceNumber(decimal: asked.sequenceNumber ?? "") else {
            throw invalid(asked, shard, record)
        }
        guard any.shard >= 0, UInt32(any.shard) == shard.id.index else {
            throw .invalidArgument(
                "Invalid StartingSequenceNumber. It encodes \(any.shardName), while it was used in a call to a shard with "
                    + "\(shard.id)"
            )
        }
        guard let number = SequenceNumber(decimal: any.description), number.created == shard.created else {
            var shown = asked
            shown.sequenceNumber = any.description
            throw invalid(shown, shard, record, " because it did not come from this stream")
        }
        return number
    }

    /// A shard of the stream, its name written in any way that AWS reads.
    func shard(_ name: String, of record: StreamRecord) throws(AWSError) -> Shard {
        guard let shard = ShardID(lenient: name).flatMap({ record.shards[$0] }) else {
            throw missingShard(named: name, record.key.name)
        }
        return shard
    }

    /// There is no such shard; or no shard can have such a name, which AWS says in other words.
    func missingShard(named name: String, _ stream: String) -> AWSError {
        if let id = ShardID(lenient: name) { return missingShard(id.description, stream) }
        return .notFound("Could not find shard \(name) in stream \(stream) under account \(configuration.account).")
    }

    private func invalid(
        _ asked: StartingPosition,
        _ shard: Shard,
        _ record: StreamRecord,
        _ why: String = ""
    ) -> AWSError {
        .invalidArgument(
            "StartingSequenceNumber \(asked.sequenceNumber ?? "") used in \(asked.operation) on shard \(shard.id) in stream "
                + "\(record.key.name) under account \(configuration.account) is invalid\(why)."
        )
    }

    func missingShard(_ shard: String, _ stream: String) -> AWSError {
        .notFound("Shard \(shard) in stream \(stream) under account \(configuration.account) does not exist")
    }
}
