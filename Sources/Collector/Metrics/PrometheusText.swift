/// Writes metrics in Prometheus' text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
struct PrometheusText {
    private(set) var text = ""

    /// One series: its labels, such as `stream="s",region="r"`, and its value.
    struct Sample {
        var labels: String
        var value: Int
    }

    mutating func metric(_ name: String, _ type: String, _ help: String, _ samples: [Sample]) {
        if samples.isEmpty { return }
        head(name, type, help)
        for sample in samples { text += "\(name){\(sample.labels)} \(sample.value)\n" }
    }

    mutating func histogram(_ name: String, _ help: String, _ series: [(labels: String, histogram: Histogram)]) {
        if series.isEmpty { return }
        head(name, "histogram", help)
        for (labels, histogram) in series {
            let (counts, sum) = histogram.reading
            for (bound, count) in zip(Histogram.bounds, counts) {
                text += "\(name)_bucket{\(labels),le=\"\(bound)\"} \(count)\n"
            }
            let count = counts.last ?? 0
            text += "\(name)_bucket{\(labels),le=\"+Inf\"} \(count)\n"
            text += "\(name)_sum{\(labels)} \(sum)\n\(name)_count{\(labels)} \(count)\n"
        }
    }

    /// A sum and a count, as a summary without quantiles, and the greatest of late beside it.
    mutating func age(_ name: String, _ help: String, _ series: [(labels: String, age: AgeMeter)], at now: Int64) {
        if series.isEmpty { return }
        head(name, "summary", help)
        for (labels, age) in series {
            text += "\(name)_sum{\(labels)} \(age.sum.value)\n\(name)_count{\(labels)} \(age.count.value)\n"
        }
        metric(
            "\(name)_max",
            "gauge",
            "\(help) The greatest of the last one to two minutes.",
            series.map { Sample(labels: $0.labels, value: $0.age.recent.value(at: now)) }
        )
    }

    private mutating func head(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }
}
