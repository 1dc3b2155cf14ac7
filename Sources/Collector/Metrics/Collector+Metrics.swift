import KinesisTypes

/// What `/metrics` shows of streams: Millrace's own counters, and CloudWatch's metrics of Kinesis under their own names.
///
/// A CloudWatch metric is a set of values per minute; here it is what Prometheus makes the same statistics of: a counter for a
/// sum, a histogram for a latency, sum, count and recent maximum for an age. `GetRecords.IteratorAgeMilliseconds` is
/// `kinesis_get_records_iterator_age_milliseconds`, and so on; each HELP begins with CloudWatch's name.
/// Source: "Monitoring Kinesis Data Streams with Amazon CloudWatch" in the developer guide.
extension Collector {
    /// The text, in Prometheus' format 0.0.4.
    public func metrics() -> String {
        let all = streams.withLock { Array($0.values) }.sorted { $0.key.row < $1.key.row }
        var page = PrometheusText()
        addOwn(all, to: &page)
        let visible = all.filter { !$0.record.isHidden }
        addStreams(visible, to: &page)
        addShards(visible, to: &page)
        return page.text
    }

    /// Names hold [a-zA-Z0-9_.-] only, and the hidden streams' prefix: nothing to escape.
    private static func labels(_ stream: Stream) -> String {
        "stream=\"\(stream.key.name)\",region=\"\(stream.key.region)\""
    }

    private func addOwn(_ all: [Stream], to page: inout PrometheusText) {
        func counter(_ name: String, _ help: String, _ value: (StreamMeters) -> Int) {
            page.metric(
                "millrace_\(name)",
                "counter",
                help,
                all.map { .init(labels: Self.labels($0), value: value($0.meters)) }
            )
        }
        counter("records_stored_total", "Records that were acknowledged.") { $0.recordsStored.value }
        counter("bytes_stored_total", "Bytes of data and partition keys that were acknowledged.") {
            $0.bytesStored.value
        }
        counter("records_read_total", "Records answered by GetRecords.") { $0.recordsRead.value }
        counter("bytes_read_total", "Bytes of data and partition keys answered by GetRecords.") { $0.bytesRead.value }
        counter("duplicates_dropped_total", "Records an agent sent again that were stored already.") {
            $0.duplicatesDropped.value
        }
        counter("put_failures_total", "Records that were refused because the log failed.") { $0.putFailures.value }
        counter("subscriptions_total", "Subscriptions that began.") { $0.subscriptions.value }
        counter("subscriptions_refused_total", "Subscriptions refused because the place is taken.") {
            $0.subscribeRateExceeded.value
        }
        counter("subscription_events_total", "Events sent to subscriptions.") { $0.eventsSent.value }
        counter("subscription_records_total", "Records sent to subscriptions.") { $0.eventRecords.value }
        counter("subscription_bytes_total", "Bytes of data and partition keys sent to subscriptions.") {
            $0.eventBytes.value
        }
        counter("records_throttled_total", "Records that were refused because a shard's limits were reached.") {
            $0.writesThrottled.value
        }
    }

    private func addStreams(_ all: [Stream], to page: inout PrometheusText) {
        func counter(_ name: String, _ help: String, _ value: (StreamMeters) -> Int) {
            page.metric(
                "kinesis_\(name)_total",
                "counter",
                help,
                all.map { .init(labels: Self.labels($0), value: value($0.meters)) }
            )
        }
        func latency(_ name: String, _ help: String, _ call: (StreamMeters) -> CallMeter) {
            page.histogram(
                "kinesis_\(name)_latency_milliseconds",
                help,
                all.map { (Self.labels($0), call($0.meters).latency) }
            )
        }
        func age(_ name: String, _ help: String, _ value: (StreamMeters) -> AgeMeter) {
            page.age("kinesis_\(name)", help, all.map { (Self.labels($0), value($0.meters)) }, at: now())
        }
        counter("incoming_bytes", "IncomingBytes: bytes of data and partition keys that were stored.") {
            $0.bytesStored.value
        }
        counter("incoming_records", "IncomingRecords: records that were stored.") { $0.recordsStored.value }

        counter("put_record_bytes", "PutRecord.Bytes: bytes stored by PutRecord.") { $0.putRecord.bytes.value }
        latency("put_record", "PutRecord.Latency: milliseconds a call took; its count is that of all calls.") {
            $0.putRecord
        }
        counter("put_record_success", "PutRecord.Success: calls that stored their record.") {
            $0.putRecord.successes.value
        }

        counter("put_records_bytes", "PutRecords.Bytes: bytes stored by PutRecords.") { $0.putRecords.bytes.value }
        latency("put_records", "PutRecords.Latency: milliseconds a call took; its count is that of all calls.") {
            $0.putRecords
        }
        counter("put_records_success", "PutRecords.Success: calls that stored at least one record.") {
            $0.putRecords.successes.value
        }
        counter("put_records_records", "PutRecords.Records: records stored by PutRecords (CloudWatch's old name).") {
            $0.batchStored.value
        }
        counter("put_records_total_records", "PutRecords.TotalRecords: records sent by PutRecords.") {
            $0.batchRecords.value
        }
        counter("put_records_successful_records", "PutRecords.SuccessfulRecords: records stored by PutRecords.") {
            $0.batchStored.value
        }
        counter("put_records_failed_records", "PutRecords.FailedRecords: records refused by internal failures.") {
            $0.batchFailed.value
        }
        counter("put_records_throttled_records", "PutRecords.ThrottledRecords: records refused by throttling.") {
            $0.batchThrottled.value
        }

        counter("get_records_bytes", "GetRecords.Bytes: bytes of data and partition keys answered.") {
            $0.bytesRead.value
        }
        age(
            "get_records_iterator_age_milliseconds",
            "GetRecords.IteratorAgeMilliseconds: age of the last record of each answer, 0 at the tip."
        ) { $0.iteratorAge }
        latency("get_records", "GetRecords.Latency: milliseconds a call took; its count is that of all calls.") {
            $0.getRecords
        }
        counter("get_records_records", "GetRecords.Records: records answered.") { $0.recordsRead.value }
        counter("get_records_success", "GetRecords.Success: calls that were answered.") {
            $0.getRecords.successes.value
        }

        counter(
            "read_provisioned_throughput_exceeded",
            "ReadProvisionedThroughputExceeded: calls of GetRecords that were throttled."
        ) { $0.readsThrottled.value }
        counter(
            "write_provisioned_throughput_exceeded",
            "WriteProvisionedThroughputExceeded: records of PutRecord and PutRecords that were throttled."
        ) { $0.writesThrottled.value }

        counter("subscribe_to_shard_success", "SubscribeToShard.Success: subscriptions that began.") {
            $0.subscriptions.value
        }
        counter(
            "subscribe_to_shard_rate_exceeded",
            "SubscribeToShard.RateExceeded: subscriptions refused because the shard's consumer has one, or asked too often."
        ) { $0.subscribeRateExceeded.value }
        counter("subscribe_to_shard_event_bytes", "SubscribeToShardEvent.Bytes: bytes of data and keys sent.") {
            $0.eventBytes.value
        }
        counter("subscribe_to_shard_event_records", "SubscribeToShardEvent.Records: records sent.") {
            $0.eventRecords.value
        }
        counter("subscribe_to_shard_event_success", "SubscribeToShardEvent.Success: events sent.") {
            $0.eventsSent.value
        }
        age(
            "subscribe_to_shard_event_millis_behind_latest",
            "SubscribeToShardEvent.MillisBehindLatest: how far behind the tip an event was, in milliseconds."
        ) { $0.eventsBehind }
    }

    /// Only what EnableEnhancedMonitoring asked for.
    private func addShards(_ all: [Stream], to page: inout PrometheusText) {
        let watched = all.compactMap { stream -> (labels: String, record: StreamRecord, traffic: StreamTraffic)? in
            let record = stream.record
            return record.settings.metrics.isEmpty ? nil : (Self.labels(stream), record, stream.traffic)
        }
        let time = now()
        for metric in ShardLevelMetric.allCases {
            var samples: [PrometheusText.Sample] = []
            for (labels, record, traffic) in watched where record.settings.metrics.contains(metric) {
                for shard in record.listedShards {
                    samples.append(
                        .init(
                            labels: "\(labels),shard=\"\(shard.id)\"",
                            value: Self.value(metric, traffic[shard.id].meters, time)
                        )
                    )
                }
            }
            let (name, type, help) = Self.words(metric)
            page.metric("kinesis_shard_\(name)", type, help, samples)
        }
    }

    private static func value(_ metric: ShardLevelMetric, _ meters: borrowing ShardMeters, _ now: Int64) -> Int {
        switch metric {
        case .incomingBytes: meters.incomingBytes.value
        case .incomingRecords: meters.incomingRecords.value
        case .outgoingBytes: meters.outgoingBytes.value
        case .outgoingRecords: meters.outgoingRecords.value
        case .writeProvisionedThroughputExceeded: meters.writesThrottled.value
        case .readProvisionedThroughputExceeded: meters.readsThrottled.value
        case .iteratorAgeMilliseconds: meters.iteratorAge.value(at: now)
        }
    }

    private static func words(_ metric: ShardLevelMetric) -> (name: String, type: String, help: String) {
        switch metric {
        case .incomingBytes: ("incoming_bytes_total", "counter", "IncomingBytes: bytes stored.")
        case .incomingRecords: ("incoming_records_total", "counter", "IncomingRecords: records stored.")
        case .outgoingBytes: ("outgoing_bytes_total", "counter", "OutgoingBytes: bytes read.")
        case .outgoingRecords: ("outgoing_records_total", "counter", "OutgoingRecords: records read.")
        case .writeProvisionedThroughputExceeded:
            (
                "write_provisioned_throughput_exceeded_total", "counter",
                "WriteProvisionedThroughputExceeded: records throttled."
            )
        case .readProvisionedThroughputExceeded:
            (
                "read_provisioned_throughput_exceeded_total", "counter",
                "ReadProvisionedThroughputExceeded: calls of GetRecords throttled."
            )
        case .iteratorAgeMilliseconds:
            (
                "iterator_age_milliseconds_max", "gauge",
                "IteratorAgeMilliseconds: age of the last record answered, 0 at the tip. The greatest of the last one to two "
                    + "minutes."
            )
        }
    }
}
