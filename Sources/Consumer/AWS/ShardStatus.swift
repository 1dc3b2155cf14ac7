import AWSProtocol

/// One line of a worker's `status`: a lease, and how far its shard is behind.
public struct ShardStatus: Sendable, Equatable {
    /// The lease as stored.
    public var lease: Lease
    /// The age of the oldest record that isn't handled, in milliseconds; 0 when all are, nil when it can't be told.
    public var lag: Int64?

    /// Looks at every lease of an application, sorted by shard.
    public static func all(store: any LeaseStore, reader: any ShardReader, initial: Int64 = 0) async throws
        -> [ShardStatus]
    {
        let now = SystemWorkerClock().wallMilliseconds
        var all: [ShardStatus] = []
        for lease in try await store.leases().sorted(by: { $0.key < $1.key }) {
            all.append(ShardStatus(lease: lease, lag: await lag(lease, reader, initial: initial, now: now)))
        }
        return all
    }

    private static func lag(_ lease: Lease, _ reader: any ShardReader, initial: Int64, now: Int64) async -> Int64? {
        let position: ReadPosition
        switch lease.checkpoint {
        case .shardEnd: return 0
        case .trimHorizon: position = .trimHorizon
        case .latest: return nil
        case .atTimestamp: position = .atTimestamp(initial)
        case .sequence(let number): position = .after(number)
        }
        do throws(ShardReadError) {
            let iterator = try await reader.iterator(shard: lease.key, at: position)
            let page = try await reader.read(shard: lease.key, iterator: iterator, limit: 1)
            guard let first = page.records.first else { return page.millisBehindLatest }
            return max(0, now - first.arrivalMilliseconds)
        } catch {
            return nil
        }
    }

    /// A list of objects, for programs.
    public static func json(_ all: [ShardStatus]) -> [UInt8] {
        jsonBytes { json in
            json.name("leases")
            json.array { json in
                for status in all {
                    json.object { json in
                        json.name("shardId")
                        json.string(status.lease.key)
                        json.name("owner")
                        if let owner = status.lease.owner { json.string(owner) } else { json.null() }
                        json.name("counter")
                        json.integer(status.lease.counter)
                        json.name("checkpoint")
                        json.string(status.lease.checkpoint.description)
                        json.name("millisBehind")
                        if let lag = status.lag { json.integer(lag) } else { json.null() }
                        json.name("parents")
                        json.array { json in for id in status.lease.parents.sorted() { json.string(id) } }
                    }
                }
            }
        }
    }
}
