import Logging
import StateStore
import StreamModel

/// On-demand streams scale by themselves: hot shards split at the median of their traffic, cold neighbours merge.
///
/// The stream stays ACTIVE meanwhile, as on AWS. Its row says what is under way all the same, so that a crash between two steps
/// leaves nothing half done.
extension Collector {
    /// Looks at all on-demand streams once a second, until cancelled.
    func scaleOnDemandStreams() async {
        guard let limits = configuration.limits else { return }
        var scalers = OnDemandScalers(limits)
        while !Task.isCancelled {
            await scaleOnDemandStreams(&scalers)
            // A cancelled sleep ends the loop.
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// One look.
    func scaleOnDemandStreams(_ scalers: inout OnDemandScalers) async {
        var seen: Set<String> = []
        for stream in streams.withLock({ Array($0.values) }) {
            let record = stream.record
            guard record.mode == .onDemand, record.status == .active, record.reshard == nil else { continue }
            seen.insert(stream.uid)
            let actions = scalers.look(at: stream, record, now: now())
            if actions.isEmpty { continue }
            do {
                try await scale(stream, actions)
            } catch {
                logger.error(
                    "an on-demand stream could not scale; it is tried again",
                    metadata: ["stream": "\(stream.key.row)", "error": "\(error)"]
                )
            }
        }
        scalers.keep(only: seen)
    }

    private func scale(_ stream: Stream, _ actions: [ShardScaler.Action]) async throws {
        try await stream.control.withLock { () async throws in
            var record = stream.record
            // Somebody may have changed it since the look.
            guard isCurrent(stream), record.mode == .onDemand, record.status == .active, record.reshard == nil else {
                return
            }
            var result = record.shards
            for action in actions {
                switch action {
                case .split(let shard, let boundary): _ = try result.split(shard, at: boundary, now: now())
                case .merge(let low, let high): _ = try result.merge(low, with: high, now: now())
                }
            }
            record.begin(result, isShown: false)
            try await write(record, stream)
            try await finish(stream)
            logger.info(
                "an on-demand stream scaled",
                metadata: ["stream": "\(stream.key.row)", "shards": "\(stream.routes.writers.count)"]
            )
        }
    }
}
