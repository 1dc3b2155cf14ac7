import AWSProtocol
import Collector
import ConfigurationFile
import StreamModel

/// The object `limits` of the configuration file: AWS's limits with other numbers.
///
///     "limits": { "shardWriteBytesPerSecond": 8388608, "createStreamCallsPerSecond": 100 }
enum LimitSettings {
    /// Reads the object's members; what is wrong with them is noted.
    static func read(_ members: [JSONValue.Member], at keyPath: String, _ findings: ConfigurationFindings)
        -> ServiceLimits
    {
        var keys = KeyReader(members, at: keyPath, offset: 0, findings)
        var limits = ServiceLimits.aws
        func number(_ key: String, _ most: Int = 1 << 40, _ set: (Int) -> Void) {
            if let number = keys.integer(key, in: 1...most) { set(number) }
        }
        number("shardWriteBytesPerSecond") { limits.shard.writeBytes = Rate(perSecond: $0) }
        number("shardWriteRecordsPerSecond") { limits.shard.writeRecords = Rate(perSecond: $0) }
        number("shardLargeRecordBytes") { limits.shard.largeRecordBytes = $0 }
        number("shardReadBytesPerSecond") { limits.shard.readBytes = Rate(perSecond: $0) }
        number("shardReadCallsPerSecond") { limits.shard.readCalls = Rate(perSecond: $0) }
        number("shardIteratorCallsPerSecond") {
            limits.shard.iteratorCalls = ShardLimits(iteratorCalls: $0).iteratorCalls
        }
        number("deliveryBytesPerSecond") { limits.delivery.writeBytes = Rate(perSecond: $0) }
        number("deliveryRecordsPerSecond") { limits.delivery.writeRecords = Rate(perSecond: $0) }
        number("subscriptionBytesPerSecond") { limits.subscriptionBytes = Rate(perSecond: $0) }
        number("shardsPerAccount") { limits.shardsPerAccount = $0 }
        number("shardsPerStream", 1_000_000) { limits.shardsPerStream = $0 }
        number("onDemandStreams") { limits.onDemandStreams = $0 }
        number("creatingStreams") { limits.creatingStreams = $0 }
        number("consumersPerStream") { limits.consumersPerStream = $0 }
        number("controlBurstSeconds", 86_400) { limits.controlBurstSeconds = $0 }
        for operation in limits.callsPerSecond.keys.sorted() {
            number(operation.prefix(1).lowercased() + operation.dropFirst() + "CallsPerSecond", 1_000_000) {
                limits.callsPerSecond[operation] = $0
            }
        }
        keys.finish()
        return limits
    }
}
