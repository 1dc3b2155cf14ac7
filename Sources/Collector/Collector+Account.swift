import AWSProtocol
import KinesisTypes
import StateStore
import StreamModel

/// The minimum throughput billing commitment of the account. Nobody is billed here; on-demand streams ask whether it is
/// there before they take a warm throughput.
struct AccountSettings: Sendable, Equatable {
    /// A commitment holds a day at least.
    static let shortestMilliseconds: Int64 = 86_400_000

    /// Milliseconds since 1970; nil when there never was one.
    var started: Int64?
    var ended: Int64?

    func isCommitted(at time: Int64) -> Bool { started != nil && (ended.map { time < $0 } ?? true) }

    func status(at time: Int64) -> String {
        guard isCommitted(at: time) else { return "DISABLED" }
        return ended == nil ? "ENABLED" : "ENABLED_UNTIL_EARLIEST_ALLOWED_END"
    }

    mutating func commit(_ wanted: Bool, now: Int64) {
        if wanted {
            if !isCommitted(at: now) { started = now }
            ended = nil
        } else if let started, isCommitted(at: now) {
            ended = max(now, started + Self.shortestMilliseconds)
        }
    }
}

/// What belongs to the account, not to one stream.
extension Collector {
    private static let accountKey = StateKey("collector", "account-settings")

    func accountSettings() async throws(AWSError) -> AccountSettings {
        do throws(StateStoreError) {
            guard let entry = try await state.get(Self.accountKey) else { return AccountSettings() }
            guard let json = try? JSONValue(parsing: entry.value) else {
                throw StateStoreError.corrupt("the row of the account's settings can't be read")
            }
            return AccountSettings(started: json["started"]?.integer, ended: json["ended"]?.integer)
        } catch {
            throw failure(error)
        }
    }

    func describeAccountSettings(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        // No members, but a body that is an object.
        try RequestReader(body: request.body, format: request.format).finish()
        return describe(try await accountSettings(), request)
    }

    func updateAccountSettings(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try UpdateAccountSettingsRequest(body: request.body, format: request.format)
        let settings = try await catalog.withLock { () async throws(AWSError) in
            var settings = try await accountSettings()
            settings.commit(asked.isCommitted, now: now())
            let row = jsonBytes { json in
                for (name, time) in [("started", settings.started), ("ended", settings.ended)] {
                    guard let time else { continue }
                    json.name(escaping: name)
                    json.integer(time)
                }
            }
            do throws(StateStoreError) {
                try await state.put(Self.accountKey, row, if: .none)
            } catch {
                throw failure(error)
            }
            return settings
        }
        return describe(settings, request)
    }

    private func describe(_ settings: AccountSettings, _ request: APIRequest) -> [UInt8] {
        let time = now()
        return request.answer { json in
            json.name("MinimumThroughputBillingCommitment")
            json.object { json in
                json.name("Status")
                json.string(settings.status(at: time))
                guard let started = settings.started else { return }
                json.name("StartedAt")
                json.timestamp(milliseconds: started)
                if let ended = settings.ended, ended <= time {
                    json.name("EndedAt")
                    json.timestamp(milliseconds: ended)
                } else {
                    json.name("EarliestAllowedEndAt")
                    json.timestamp(milliseconds: started + AccountSettings.shortestMilliseconds)
                }
            }
        }
    }

    func describeLimits(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        try RequestReader(body: request.body, format: request.format).finish()
        let records = streams.withLock { $0.values.map(\.record) }
            .filter { $0.key.region == request.region && !$0.isHidden && $0.status != .deleting }
        // Without limits AWS's numbers are shown: clients size themselves by them.
        let limits = configuration.limits ?? .aws
        let provisioned = records.filter { $0.mode == .provisioned }
        return request.answer { json in
            json.name("ShardLimit")
            json.integer(limits.shards(in: request.region))
            json.name("OpenShardCount")
            json.integer(provisioned.map { record in record.listedShards.count(where: \.isOpen) }.reduce(0, +))
            json.name("OnDemandStreamCount")
            json.integer(records.count - provisioned.count)
            json.name("OnDemandStreamCountLimit")
            json.integer(limits.onDemandStreams)
            json.name("ChannelCount")
            json.integer(0)
            json.name("ChannelCountLimit")
            json.integer(0)
        }
    }
}
