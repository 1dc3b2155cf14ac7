@testable import Consumer

/// Several workers of one application in one simulated world: delays, lost answers, lost requests, deaths.
final class SimulatedWorld {
    let time = SimulatedTime()
    let stream = SimulatedStream()
    let store = MemoryLeaseStore()
    let settings: LeaseSettings
    var random: SeededRandom
    var workers: [SimulatedWorker] = []
    /// In thousandths, how often a call's answer or the whole call is lost.
    var lossPerMille = 0
    var violations: [String] = []
    /// When a lease's use last passed from a dead or silent owner to another.
    var takeovers: [(key: String, worker: String, time: Duration)] = []

    init(seed: UInt64, failover: Duration = .seconds(10)) {
        random = SeededRandom(seed: seed)
        settings = LeaseSettings(failoverTime: failover)
    }

    @discardableResult
    func addWorker() -> SimulatedWorker {
        let worker = SimulatedWorker("w\(workers.count)", self)
        workers.append(worker)
        worker.begin()
        return worker
    }

    var living: [SimulatedWorker] { workers.filter(\.isAlive) }

    func delay(_ most: Int = 80) -> Duration { .milliseconds(Int.random(in: 1...most, using: &random)) }

    /// A call to the store: applied after a delay, answered after another; nil when the answer doesn't come.
    func call<T>(by worker: SimulatedWorker, _ body: @escaping () -> T, _ answer: @escaping (T?) -> Void) {
        let isLost = Int.random(in: 0..<1000, using: &random) < lossPerMille
        let isApplied = !isLost || Bool.random(using: &random)
        let back = delay()
        time.after(delay()) { [time] in
            // A frozen machine's requests don't leave it; a cut cable lets nothing through.
            let reaches = isApplied && !worker.isCutOff
            let result = reaches ? body() : nil
            time.after(result == nil ? .seconds(2) : back) {
                guard worker.isAlive else { return }
                answer(isLost ? nil : result)
            }
        }
    }

    func users(of key: String) -> [SimulatedWorker] { living.filter { $0.uses(key) } }
}

/// Drives one worker's state machines as `Worker` does, in virtual time.
final class SimulatedWorker {
    struct Use {
        var life: LeaseCoordinator.Life
        var consumer: ShardConsumer
    }

    let name: String
    unowned let world: SimulatedWorld
    var coordinator: LeaseCoordinator
    var election: LeaderElection
    var uses: [String: Use] = [:]
    var isAlive = true
    var isCutOff = false
    var syncIsDue = true

    init(_ name: String, _ world: SimulatedWorld) {
        self.name = name
        self.world = world
        let now = world.time.now
        coordinator = LeaseCoordinator(
            worker: name,
            settings: world.settings,
            random: SeededRandom(seed: world.random.next()),
            now: now
        )
        election = LeaderElection(
            worker: name,
            leaseDuration: world.settings.leaderLeaseDuration,
            random: SeededRandom(seed: world.random.next()),
            now: now
        )
    }

    var now: Duration { world.time.now }

    func begin() {
        tick()
        lead()
    }

    func uses(_ key: String) -> Bool {
        uses[key].map { coordinator.isUsable(key, life: $0.life, now: now) } ?? false
    }

    private func tick() {
        guard isAlive else { return }
        perform(coordinator.tick(now: now))
        world.time.after(world.settings.failoverTime / 40) { self.tick() }
    }

    private func lead() {
        guard isAlive else { return }
        let look = election.needsLook(now: now)
        world.call(by: self, { look ? self.world.store.readLeader() : nil }) { row in
            if let row { self.attempt(row) } else { self.world.time.after(.zero) { self.lead() } }
        }
    }

    private func attempt(_ row: LeaderRecord?) {
        let again = { self.world.time.after(self.world.settings.leaderInterval / 4) { self.lead() } }
        guard let attempt = election.attempt(seeing: row, now: now) else { return again() }
        let sent = now
        world.call(by: self, { self.world.store.swapLeader(attempt.expected, with: attempt.record) }) { stored in
            if let stored { self.election.finished(attempt, stored: stored, sent: sent) }
            if self.election.isLeader(now: self.now) { self.sync() }
            again()
        }
    }

    private func sync() {
        let store = world.store
        world.call(by: self, { (self.world.stream.listed, store.readAll()) }) { seen in
            guard let seen else { return }
            let plan = ShardSync.plan(shards: seen.0, leases: seen.1, position: .trimHorizon, now: 0)
            for lease in plan.create { self.world.call(by: self, { store.insert(lease) }) { _ in } }
            for lease in plan.delete { _ = store.remove(lease.key, counter: lease.counter) }
        }
    }

    private func perform(_ actions: [LeaseCoordinator.Action]) {
        let store = world.store
        for action in actions {
            switch action {
            case .scan:
                world.call(by: self, { store.readAll() }) { self.perform(self.coordinator.scanned($0, now: self.now)) }
            case .write(let write):
                world.call(by: self, { self.apply(write) }) { stored in
                    let outcome: LeaseCoordinator.Outcome = stored.map { $0 ? .stored : .refused } ?? .unknown
                    self.perform(self.coordinator.finished(write, outcome: outcome, now: self.now))
                }
            case .reread(let write):
                world.call(by: self, { store.read(write.key) }) { row in
                    self.perform(self.coordinator.reread(write, outcome: row, now: self.now))
                }
            case .start(let lease, let life):
                var consumer = ShardConsumer(lease: lease)
                let step = consumer.start()
                uses[lease.key] = Use(life: life, consumer: consumer)
                go(lease.key, life, step)
            case .stop(let key, let life, _): if uses[key]?.life == life { uses[key] = nil }
            case .stored(let key, let life, _): advance(key, life) { $0.stored() }
            }
        }
    }

    /// A write reaches the table: here the world checks that it was allowed.
    private func apply(_ write: LeaseCoordinator.Write) -> Bool {
        let before = world.store.read(write.key)
        guard world.store.apply(write.key, counter: write.counter, write.change) else { return false }
        switch write.change {
        case .take:
            let wasExpired = coordinator.views[write.key]?.isExpired(
                now: write.sent,
                failoverTime: world.settings.failoverTime
            )
            if wasExpired == true {
                for user in world.users(of: write.key) where user !== self {
                    world.violations.append("\(name) took \(write.key) as expired while \(user.name) uses it")
                }
                world.takeovers.append((write.key, name, now))
            }
        case .checkpoint(.sequence(let sequence), _):
            if !world.stream.isFinished(write.key, through: sequence) {
                world.violations.append("checkpoint \(sequence) of \(write.key) passes an unfinished record")
            }
            if case .sequence(let old) = before?.checkpoint, SequenceOrder.isBefore(sequence, old) {
                world.violations.append("checkpoint of \(write.key) went back from \(old) to \(sequence)")
            }
            if before?.owner != name {
                world.violations.append("\(name) stored a checkpoint of another's \(write.key)")
            }
        case .checkpoint(.shardEnd, _):
            if !world.stream.isFinished(write.key) {
                world.violations.append("\(write.key) ended with records unfinished")
            }
        case .checkpoint, .renew, .release: break
        }
        return true
    }

    private func advance(
        _ key: String,
        _ life: LeaseCoordinator.Life,
        _ body: (inout ShardConsumer) -> ShardConsumer.Step
    ) {
        guard isAlive, var use = uses[key], use.life == life, coordinator.isUsable(key, life: life, now: now) else {
            return
        }
        let step = body(&use.consumer)
        uses[key] = use
        go(key, life, step)
    }

    private func go(_ key: String, _ life: LeaseCoordinator.Life, _ step: ShardConsumer.Step) {
        let stream = world.stream
        func later(_ delay: Duration, _ body: @escaping (inout ShardConsumer) -> ShardConsumer.Step) {
            world.time.after(delay) { self.advance(key, life, body) }
        }
        switch step {
        case .lookAtParents(let parents):
            world.call(by: self, { parents.map { self.world.store.read($0)?.checkpoint } }) { rows in
                let isFinished = rows?.allSatisfy { $0 == nil || $0 == .shardEnd } ?? false
                self.advance(key, life) { $0.parents(finished: isFinished) }
            }
        case .beginHandler:
            world.call(by: self, { self.world.store.read(key) }) { row in
                self.advance(key, life) { consumer in
                    if case .some(.some(let row)) = row { return consumer.handlerReady(row: row, batchSize: 3) }
                    return consumer.handlerFailed()
                }
            }
        case .open(let position): later(world.delay()) { $0.opened(stream.iterator(key, position), askedAt: 0) }
        case .read(let iterator, _):
            let fails = Int.random(in: 0..<1000, using: &world.random) < world.lossPerMille
            later(world.delay()) {
                if fails { return $0.failed(.iteratorExpired) }
                return $0.read(stream.read(key, iterator, limit: 7), limit: 7)
            }
        case .handle(let records):
            for parent in stream.shards[key]?.parents ?? [] where !stream.isFinished(parent) {
                world.violations.append("\(key) was handled before its parent \(parent) had ended")
            }
            let fails = Int.random(in: 0..<1000, using: &world.random) < world.lossPerMille
            later(world.delay(300)) {
                if fails { return $0.handlerFailed() }
                stream.finish(records, of: key)
                return $0.handled(upTo: records.last?.sequenceNumber)
            }
        case .lookAtTime, .finish: later(.zero) { $0.handled(upTo: nil) }
        case .checkpoint(let checkpoint, let children):
            perform(coordinator.store(checkpoint, children: children, key: key, life: life, now: now))
        case .wait(let pause): later(pause) { $0.waited() }
        case .done:
            uses[key] = nil
            perform(coordinator.release(key, life: life, now: now))
        }
    }
}
