/// The layers of the design: an import goes only downwards. Change the table together with the design page.
enum LayerTable {
    /// A target's layer, 0 at the bottom.
    static let layers: [String: Int] = {
        var layers: [String: Int] = [:]
        for (layer, targets) in rows.enumerated() {
            for target in targets { layers[target] = layer }
        }
        return layers
    }()

    private static let rows: [[String]] = [
        ["StreamModel", "AWSProtocol", "DiskIO", "CSystemd", "CChecksums", "CPOSIX", "CZlib"],
        [
            "KinesisTypes", "FirehoseTypes", "DynamoDBTypes", "RecordBatch", "ShardLog", "StateStore",
            "ConfigurationFile", "AccessPolicy",
        ],
        [
            "EmbeddedLog", "EmbeddedState", "LeaseTable", "AWSClient", "KPLAggregation", "FileTail", "JournalTail",
            "SinkFiles", "AuditTrail", "StreamKeys",
        ],
        ["Collector", "Delivery", "Agent", "Consumer"],
        ["CollectorServer", "Console"],
        ["millrace-agent", "millrace-collector", "millrace-worker", "millrace", "encryption-bench", "catch-up-bench"],
    ]

    /// The arrows inside one layer, each with a reason in the design: a delivery stream is a client of the collector, a frame
    /// is made in the memory that the log keeps it in, and C shims stand under everything.
    static let arrowsInsideALayer: [String: Set<String>] = [
        "Delivery": ["Collector"],
        "RecordBatch": ["ShardLog"],
        "AWSProtocol": ["CChecksums"],
        "DiskIO": ["CPOSIX"],
    ]

    /// Modules that only the named targets may import.
    static let reserved: [Reservation] = [
        Reservation(
            what: "an HTTP library",
            allowed: ["AWSClient", "CollectorServer", "Console"],
            matches: { $0.hasPrefix("NIO") || $0.hasPrefix("Hummingbird") || $0 == "AsyncHTTPClient" }
        ),
        Reservation(what: "SQLite", allowed: ["EmbeddedState", "Agent"], matches: { $0.hasPrefix("GRDB") }),
        Reservation(
            what: "an engine",
            allowed: ["millrace-collector", "millrace", "catch-up-bench"],
            matches: { $0 == "EmbeddedLog" || $0 == "EmbeddedState" }
        ),
        Reservation(what: "Foundation (44 MB of it)", allowed: [], matches: { $0 == "Foundation" }),
    ]

    /// Who may import what.
    struct Reservation: Sendable {
        /// How a message names the modules.
        let what: String
        /// The targets that may.
        let allowed: Set<String>
        /// Whether a module is one of them.
        let matches: @Sendable (String) -> Bool
    }
}
