import StreamModel
import Synchronization

/// The traffic of each of a stream's shards, open or closed. A shard's is made when it is first asked for.
final class StreamTraffic: Sendable {
    private let shards = Mutex<[ShardID: ShardTraffic]>([:])

    subscript(id: ShardID) -> ShardTraffic {
        shards.withLock { shards in
            if let known = shards[id] { return known }
            let traffic = ShardTraffic()
            shards[id] = traffic
            return traffic
        }
    }

    /// The shard has left the stream.
    func forget(_ id: ShardID) { shards.withLock { $0[id] = nil } }
}
