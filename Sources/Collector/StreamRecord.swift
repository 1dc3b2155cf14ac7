import AWSProtocol
import KinesisTypes
import StreamModel

/// Names a stream: region and name. The account is the collector's own.
struct StreamKey: Hashable, Sendable {
    var region: String
    var name: String

    /// The catalog row's name.
    var row: String { "\(region)/\(name)" }
}

/// One stream as its catalog row keeps it: everything that must change together.
struct StreamRecord: Sendable, Equatable {
    /// A reshard that was begun: children have logs, parents may be closed already. Finished at the next start if need be.
    struct Reshard: Sendable, Equatable {
        var parents: [ShardID]
        /// The map after it.
        var result: ShardMap
    }

    var key: StreamKey
    /// Tells incarnations of a name apart; names the shards' logs.
    var uid: String
    var status: StreamStatus
    var mode: StreamMode
    /// Milliseconds since 1970.
    var created: Int64
    var retentionHours: Int
    var maxRecordBytes: Int
    /// The log behind a direct-put delivery stream: not listed.
    var isHidden: Bool
    var shards: ShardMap
    var reshard: Reshard?
    var settings = StreamSettings()
    var consumers: [ConsumerRecord] = []
    /// It is in DELETING, and was deleted in CREATING.
    var wasNeverActive = false

    /// Whether a change is under way.
    var isUnfinished: Bool {
        status != .active || reshard != nil || consumers.contains { $0.status != .active }
    }

    /// What clients are shown: shards appear when the stream is made.
    var listedShards: [Shard] { status == .creating || wasNeverActive ? [] : shards.shards }

    /// Writes down a reshard to be carried out. The stream is UPDATING meanwhile, unless it is not shown: then it is what an
    /// on-demand stream does by itself.
    mutating func begin(_ result: ShardMap, isShown: Bool = true) {
        let parents = shards.shards.filter { shard in shard.isOpen && result[shard.id]?.isOpen != true }
        reshard = Reshard(parents: parents.map(\.id), result: result)
        if isShown { status = .updating }
    }

    func arn(account: String) -> String { "arn:aws:kinesis:\(key.region):\(account):stream/\(key.name)" }
}

extension StreamRecord {
    /// The row's bytes: JSON, version 1.
    func encoded() -> [UInt8] {
        jsonBytes(reserving: 512 + shards.shards.count * 160) { json in
            json.name("version")
            json.integer(1)
            json.name("region")
            json.string(key.region)
            json.name("name")
            json.string(key.name)
            json.name("uid")
            json.string(uid)
            json.name("status")
            json.string(status.rawValue)
            json.name("mode")
            json.string(mode.rawValue)
            json.name("created")
            json.integer(created)
            json.name("retentionHours")
            json.integer(retentionHours)
            json.name("maxRecordBytes")
            json.integer(maxRecordBytes)
            json.name("hidden")
            json.bool(isHidden)
            if wasNeverActive {
                json.name("neverActive")
                json.bool(true)
            }
            settings.write(to: &json)
            if !consumers.isEmpty {
                json.name("consumers")
                json.array { json in for consumer in consumers { consumer.write(to: &json) } }
            }
            json.name("shards")
            Self.write(shards, to: &json)
            if let reshard {
                json.name("reshard")
                json.object { json in
                    json.name("parents")
                    json.array { json in for parent in reshard.parents { json.integer(parent.index) } }
                    json.name("result")
                    Self.write(reshard.result, to: &json)
                }
            }
        }
    }

    private static func write(_ map: ShardMap, to json: inout JSONWriter) {
        json.object { json in
            json.name("nextIndex")
            json.integer(map.nextIndex)
            json.name("list")
            json.array { json in
                for shard in map.shards {
                    json.object { json in
                        json.name("index")
                        json.integer(shard.id.index)
                        json.name("start")
                        json.string(shard.range.start.description)
                        json.name("end")
                        json.string(shard.range.end.description)
                        if let parent = shard.parent {
                            json.name("parent")
                            json.integer(parent.index)
                        }
                        if let parent = shard.adjacentParent {
                            json.name("adjacentParent")
                            json.integer(parent.index)
                        }
                        json.name("created")
                        json.integer(shard.created)
                        json.name("openedMillis")
                        json.integer(shard.opened)
                        if let closed = shard.closed {
                            json.name("closedMillis")
                            json.integer(closed)
                        }
                    }
                }
            }
        }
    }

    /// Reads a row; nil when it is not one of ours.
    init?(decoding bytes: [UInt8]) {
        guard let json = try? JSONValue(parsing: bytes), json["version"]?.integer == 1,
            let region = json["region"]?.string, let name = json["name"]?.string, let uid = json["uid"]?.string,
            let status = json["status"]?.string.flatMap(StreamStatus.init),
            let mode = json["mode"]?.string.flatMap(StreamMode.init), let created = json["created"]?.integer,
            let retention = json["retentionHours"]?.integer, let size = json["maxRecordBytes"]?.integer,
            let shards = json["shards"].flatMap(Self.map)
        else { return nil }
        self.init(
            key: StreamKey(region: region, name: name),
            uid: uid,
            status: status,
            mode: mode,
            created: created,
            retentionHours: Int(retention),
            maxRecordBytes: Int(size),
            isHidden: json["hidden"]?.bool ?? false,
            shards: shards,
            reshard: nil
        )
        guard let settings = StreamSettings(decoding: json) else { return nil }
        self.settings = settings
        wasNeverActive = json["neverActive"]?.bool ?? false
        for row in json["consumers"]?.array ?? [] {
            guard let consumer = ConsumerRecord(decoding: row) else { return nil }
            consumers.append(consumer)
        }
        if let pending = json["reshard"] {
            guard let parents = pending["parents"]?.array, let result = pending["result"].flatMap(Self.map) else {
                return nil
            }
            reshard = Reshard(parents: parents.compactMap { $0.integer.map { ShardID(UInt32($0)) } }, result: result)
        }
    }

    private static func map(_ json: JSONValue) -> ShardMap? {
        guard let next = json["nextIndex"]?.integer, let list = json["list"]?.array else { return nil }
        var shards: [Shard] = []
        for item in list {
            guard let index = item["index"]?.integer, let created = item["created"]?.integer,
                let start = item["start"]?.string.flatMap({ HashKey(decimal: $0) }),
                let end = item["end"]?.string.flatMap({ HashKey(decimal: $0) }), start <= end
            else { return nil }
            shards.append(
                Shard(
                    id: ShardID(UInt32(index)),
                    range: HashRange(start: start, end: end),
                    parent: item["parent"]?.integer.map { ShardID(UInt32($0)) },
                    adjacentParent: item["adjacentParent"]?.integer.map { ShardID(UInt32($0)) },
                    created: UInt64(created),
                    // Rows of the first version knew whole seconds, and a child's stamp stood one above its opening.
                    opened: item["openedMillis"]?.integer ?? created * 1000,
                    closed: item["closedMillis"]?.integer ?? item["closed"]?.integer.map { $0 * 1000 }
                )
            )
        }
        return ShardMap(stored: shards, nextIndex: UInt32(next))
    }
}
