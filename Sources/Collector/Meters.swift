import Synchronization

/// Counts what the service did, per stream, for `/metrics`.
final class Meters: Sendable {
    struct Counts: Sendable {
        var recordsStored = 0
        var bytesStored = 0
        var recordsRead = 0
        var bytesRead = 0
        var duplicatesDropped = 0
        var putFailures = 0
        var subscriptions = 0
        var subscriptionsRefused = 0
        var eventsSent = 0
        var eventRecords = 0
        var eventBytes = 0
    }

    private let counts = Mutex<[StreamKey: Counts]>([:])

    func add(_ key: StreamKey, _ change: (inout Counts) -> Void) {
        counts.withLock { change(&$0[key, default: Counts()]) }
    }

    func forget(_ key: StreamKey) { counts.withLock { $0[key] = nil } }

    var all: [(StreamKey, Counts)] {
        counts.withLock { Array($0) }.sorted { ($0.key.region, $0.key.name) < ($1.key.region, $1.key.name) }
    }
}

extension Collector {
    /// The counters in Prometheus' text format 0.0.4.
    public func metrics() -> String {
        let all = meters.all
        var text = ""
        func metric(_ name: String, _ help: String, _ value: (Meters.Counts) -> Int) {
            text += "# HELP millrace_\(name) \(help)\n# TYPE millrace_\(name) counter\n"
            for (key, counts) in all {
                // Names hold [a-zA-Z0-9_.-] only, and the hidden streams' prefix: nothing to escape.
                text += "millrace_\(name){stream=\"\(key.name)\",region=\"\(key.region)\"} \(value(counts))\n"
            }
        }
        metric("records_stored_total", "Records that were acknowledged.") { $0.recordsStored }
        metric("bytes_stored_total", "Bytes of data and partition keys that were acknowledged.") { $0.bytesStored }
        metric("records_read_total", "Records answered by GetRecords.") { $0.recordsRead }
        metric("bytes_read_total", "Bytes of data and partition keys answered by GetRecords.") { $0.bytesRead }
        metric("duplicates_dropped_total", "Records an agent sent again that were stored already.") {
            $0.duplicatesDropped
        }
        metric("put_failures_total", "Records that were refused because the log failed.") { $0.putFailures }
        metric("subscriptions_total", "SubscribeToShard.Success: subscriptions that began.") { $0.subscriptions }
        metric("subscriptions_refused_total", "SubscribeToShard.RateExceeded: refused because the place is taken.") {
            $0.subscriptionsRefused
        }
        metric("subscription_events_total", "SubscribeToShardEvent.Success: events sent.") { $0.eventsSent }
        metric("subscription_records_total", "SubscribeToShardEvent.Records: records sent.") { $0.eventRecords }
        metric("subscription_bytes_total", "SubscribeToShardEvent.Bytes: bytes of data and keys sent.") {
            $0.eventBytes
        }
        return text
    }
}
