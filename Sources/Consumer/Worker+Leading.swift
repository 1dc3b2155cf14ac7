import Logging

extension Worker {
    /// Takes part in the election, and keeps leases in step with the shards while leading.
    func lead() async {
        let settings = configuration.leases
        var nextAttempt = clock.now
        var nextSync = clock.now
        var led = false
        while !isStopping, !Task.isCancelled {
            do {
                if clock.now >= nextAttempt {
                    nextAttempt = clock.now + settings.leaderInterval
                    try await attemptToLead()
                }
                let leads = election.isLeader(now: clock.now)
                if leads != led {
                    logger.info(leads ? "leads the application" : "leads the application no longer")
                    syncIsDue = true
                    led = leads
                }
                if leads, syncIsDue || clock.now >= nextSync {
                    syncIsDue = false
                    nextSync = clock.now + settings.shardSyncInterval
                    try await syncShards()
                }
            } catch {
                syncIsDue = true
                logger.warning("leading failed; will try again", metadata: ["error": "\(error)"])
            }
            await rest(min(.milliseconds(500), settings.takeInterval / 4))
        }
    }

    private func attemptToLead() async throws {
        let row = election.needsLook(now: clock.now) ? try await store.leader() : nil
        guard let attempt = election.attempt(seeing: row, now: clock.now) else { return }
        let sent = clock.now
        let stored = try await store.replaceLeader(attempt.expected, with: attempt.record)
        election.finished(attempt, stored: stored, sent: sent)
    }

    private func syncShards() async throws {
        let leases = try await store.leases()
        let shards = try await reader.shards()
        let plan = ShardSync.plan(
            shards: shards,
            leases: leases,
            position: configuration.position,
            now: clock.wallMilliseconds
        )
        for lease in plan.create where try await store.create(lease) {
            logger.info("made a lease", metadata: ["shard": "\(lease.key)", "start": "\(lease.checkpoint)"])
        }
        for lease in plan.delete where try await store.delete(lease.key, counter: lease.counter) {
            logger.info("removed the lease of a shard that has left the stream", metadata: ["shard": "\(lease.key)"])
        }
        for (old, new) in plan.restart where try await store.delete(old.key, counter: old.counter) {
            logger.warning(
                "the stream was made anew: its shard is read from the beginning",
                metadata: ["shard": "\(old.key)", "checkpoint": "\(old.checkpoint)"]
            )
            _ = try await store.create(new)
        }
        if !plan.create.isEmpty || !plan.delete.isEmpty || !plan.restart.isEmpty { leasesChanged() }
    }
}
