import AWSProtocol
import StreamModel
import Synchronization

/// The subscriptions of one stream: one of a consumer and shard at a time.
final class SubscriptionList: Sendable {
    /// What there is one subscription of.
    struct Key: Hashable, Sendable {
        var consumer: String
        /// When the consumer was registered, in milliseconds since 1970.
        var registered: Int64
        var shard: ShardID
    }

    private struct Entry {
        var subscription: Subscription
        /// Milliseconds since 1970.
        var began: Int64
    }

    private let entries = Mutex<[Key: Entry]>([:])

    /// Puts a subscription in its place, and ends the one that had it. Returns false when that one is younger than
    /// `protection` in milliseconds.
    func add(_ subscription: Subscription, _ key: Key, now: Int64, protection: Int64) -> Bool {
        let (isAdded, former) = entries.withLock { entries -> (Bool, Subscription?) in
            let former = entries[key]
            // A clock that went back protects nobody.
            if let former, (0..<protection).contains(now - former.began) { return (false, nil) }
            entries[key] = Entry(subscription: subscription, began: now)
            return (true, former?.subscription)
        }
        former?.supersede()
        return isAdded
    }

    /// Whether a subscription younger than `protection` in milliseconds has the place.
    func isProtected(_ key: Key, now: Int64, protection: Int64) -> Bool {
        entries.withLock { $0[key].map { (0..<protection).contains(now - $0.began) } ?? false }
    }

    /// One that has ended gives its place back, unless another has it already.
    func remove(_ subscription: Subscription, _ key: Key) {
        entries.withLock { entries in
            if entries[key]?.subscription === subscription { entries[key] = nil }
        }
    }

    /// The catalog's row has changed: everybody looks whether it still stands.
    func wakeAll() {
        for entry in entries.withLock({ Array($0.values) }) { entry.subscription.wake() }
    }

    var count: Int { entries.withLock { $0.count } }
}
