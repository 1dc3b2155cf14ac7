import AWSProtocol
import KinesisTypes

/// What can be set on a stream beside its shards, as its catalog row keeps it. Members that say nothing are left out.
struct StreamSettings: Sendable, Equatable {
    var tags: [String: String] = [:]
    /// The key that new records are encrypted with; nil: they are not.
    var keyID: String?
    var metrics: Set<ShardLevelMetric> = []
    /// The resource policy, verbatim.
    var policy: String?
    /// MiB/s; nil where none was asked for.
    var warmThroughput: Int?
    var strategy = RecordDistributionStrategy.userPartitionKey
    /// Shards that a stream turned to on-demand mode had then; nil for one that was made in it.
    var onDemandFloor: Int?
    /// When the last consumer was registered, in milliseconds since 1970; 0 when there never was one.
    var lastConsumer: Int64 = 0
    /// When changes were made that AWS counts per day, in milliseconds since 1970, oldest first.
    var changes: [Change: [Int64]] = [:]

    /// A change of which a stream has so many in 24 hours.
    enum Change: String, Sendable, CaseIterable {
        case shardCount, mode, encryption

        var perDay: Int {
            switch self {
            case .shardCount: 10
            case .mode: 2
            case .encryption: 25
            }
        }
    }

    /// How often this was changed in the 24 hours before `now`.
    func count(of change: Change, now: Int64) -> Int {
        (changes[change] ?? []).count { $0 > now - 86_400_000 }
    }

    mutating func note(_ change: Change, now: Int64) {
        changes[change] = (changes[change] ?? []).filter { $0 > now - 86_400_000 } + [now]
    }
}

extension StreamSettings {
    /// Appends the members of a row.
    func write(to json: inout JSONWriter) {
        if !tags.isEmpty {
            json.name("tags")
            json.object { $0.write(tags) }
        }
        if let keyID {
            json.name("keyId")
            json.string(keyID)
        }
        if !metrics.isEmpty {
            json.name("metrics")
            json.array { json in for metric in metrics.map(\.rawValue).sorted() { json.string(metric) } }
        }
        if let policy {
            json.name("policy")
            json.string(policy)
        }
        if let warmThroughput {
            json.name("warmThroughput")
            json.integer(warmThroughput)
        }
        if strategy != .userPartitionKey {
            json.name("strategy")
            json.string(strategy.rawValue)
        }
        if let onDemandFloor {
            json.name("onDemandFloor")
            json.integer(onDemandFloor)
        }
        if lastConsumer > 0 {
            json.name("lastConsumer")
            json.integer(lastConsumer)
        }
        if !changes.isEmpty {
            json.name("changes")
            json.object { json in
                for change in Change.allCases {
                    guard let times = changes[change] else { continue }
                    json.name(escaping: change.rawValue)
                    json.array { json in for time in times { json.integer(time) } }
                }
            }
        }
    }

    /// Reads a row's members; nil when one is not as it was written.
    init?(decoding json: JSONValue) {
        tags = json["tags"]?.strings ?? [:]
        keyID = json["keyId"]?.string
        policy = json["policy"]?.string
        lastConsumer = json["lastConsumer"]?.integer ?? 0
        warmThroughput = json["warmThroughput"]?.integer.map { Int($0) }
        onDemandFloor = json["onDemandFloor"]?.integer.map { Int($0) }
        for name in json["metrics"]?.array ?? [] {
            guard let metric = name.string.flatMap(ShardLevelMetric.init) else { return nil }
            metrics.insert(metric)
        }
        if let name = json["strategy"] {
            guard let known = name.string.flatMap(RecordDistributionStrategy.init) else { return nil }
            strategy = known
        }
        for change in Change.allCases {
            changes[change] = json["changes"]?[change.rawValue]?.array?.compactMap(\.integer)
        }
    }
}

/// One registered consumer as its stream's row keeps it.
struct ConsumerRecord: Sendable, Equatable {
    /// Where a consumer is in its life.
    enum Status: String, Sendable {
        case creating = "CREATING"
        case active = "ACTIVE"
        case deleting = "DELETING"
    }

    var name: String
    var status: Status
    /// When it was registered, in milliseconds since 1970; whole seconds of it stand in its ARN.
    var created: Int64
    var tags: [String: String] = [:]
    var policy: String?

    func arn(stream: String) -> String { "\(stream)/consumer/\(name):\(created / 1000)" }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.name("name")
            json.string(name)
            json.name("status")
            json.string(status.rawValue)
            json.name("created")
            json.integer(created)
            if !tags.isEmpty {
                json.name("tags")
                json.object { $0.write(tags) }
            }
            if let policy {
                json.name("policy")
                json.string(policy)
            }
        }
    }
}

extension ConsumerRecord {
    init?(decoding json: JSONValue) {
        guard let name = json["name"]?.string, let created = json["created"]?.integer,
            let status = json["status"]?.string.flatMap(Status.init)
        else { return nil }
        self.init(
            name: name,
            status: status,
            created: created,
            tags: json["tags"]?.strings ?? [:],
            policy: json["policy"]?.string
        )
    }
}

extension JSONWriter {
    /// The members of a map of strings, sorted by key.
    fileprivate mutating func write(_ tags: [String: String]) {
        for (key, value) in tags.sorted(by: { $0.key < $1.key }) {
            name(escaping: key)
            string(value)
        }
    }
}

extension JSONValue {
    /// A map of strings; nil when it is none.
    fileprivate var strings: [String: String]? {
        guard let members else { return nil }
        var strings: [String: String] = [:]
        for member in members { strings[member.name] = member.value.string }
        return strings
    }
}
