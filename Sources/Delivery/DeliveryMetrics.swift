extension DeliveryService {
    /// The counters in Prometheus' text format 0.0.4.
    public func metrics() -> String {
        let all = status()
        var text = ""
        func metric(_ name: String, _ type: String, _ help: String, _ value: (DeliveryStatus) -> Int64) {
            text += "# HELP millrace_delivery_\(name) \(help)\n# TYPE millrace_delivery_\(name) \(type)\n"
            for status in all {
                // Names hold [a-zA-Z0-9_.-] only: nothing to escape.
                text +=
                    "millrace_delivery_\(name){delivery_stream=\"\(status.name)\",region=\"\(status.region)\"} \(value(status))\n"
            }
        }
        metric("records_total", "counter", "Records in finalized files.") { Int64($0.recordsDelivered) }
        metric("bytes_total", "counter", "Bytes in finalized files.") { Int64($0.bytesDelivered) }
        metric("files_finalized_total", "counter", "Files that appeared.") { Int64($0.filesFinalized) }
        metric("lag_milliseconds", "gauge", "Age of the oldest record not in a file yet.") { $0.millisBehind }
        return text
    }
}
