import Logging
import RecordBatch
import ShardLog
import Synchronization

@testable import DiskIO
@testable import EmbeddedLog

/// Drives the real engine over a disk that loses, tears and refuses, from one seed and on one thread, and holds it against a
/// model.
///
/// Each epoch is one process's life: shards are made, appended to, read, searched, trimmed, sealed and deleted, while the disk
/// fails at rates that change. It ends with a clean close, a kill or a power cut, between two calls or in the middle of one.
/// Then the next process must find:
///
/// - every acknowledged frame that was not trimmed, in order, at its position, and none that was trimmed;
/// - behind them at most a beginning of what was asked for last and not answered, or answered with `unknown`;
/// - nothing that was answered with any other error.
final class Simulation {
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    private var dice: Dice
    let seed: UInt64
    private let disk: SimulatedDisk
    private var log: EmbeddedLog?
    private var configuration = EmbeddedLog.Configuration()
    private var shards: [ShardRef: ShardModel] = [:]
    private var number = 0
    private var clock: Int64 = 1_000
    private(set) var operations = 0
    private(set) var acknowledged = 0
    private(set) var restarts = 0
    private(set) var survivors = 0

    var faults: Int { disk.counters.faults }
    var trace: [String] { disk.trace }

    init(seed: UInt64) {
        self.seed = seed
        dice = Dice(seed: seed ^ 0x5EED)
        disk = SimulatedDisk(seed: seed, traceLimit: 2_000)
        configuration = EmbeddedLog.Configuration(segmentBytes: dice.pick([700, 3_000, 20_000]), openFileLimit: 2)
        configuration.syncThreads = 0
        configuration.directBytes = dice.pick([1, 400, 2_000, .max])
        configuration.applyBytes = dice.pick([1, 600, 5_000])
        configuration.passingBytes = dice.pick([1, 1_000, .max])
        configuration.memoryBytes = dice.pick([0, 500, 20_000])
        configuration.journalFileBytes = dice.pick([200, 9_000, 40_000])
        configuration.tightBytes = dice.pick([0, 10_000])
        configuration.syncAllShards = dice.pick([1, 100])
        configuration.unmarkedBytes = dice.pick([1, 3_000, 100_000])
    }

    /// Runs so many operations, and checks all at the end.
    func run(_ count: Int) throws {
        try start()
        while operations < count {
            operations += 1
            try step()
            if deaths != knownDeaths {
                // It died in the middle of a call.
                abandon()
                try start()
            } else if dice.below(100) < 2 {
                try end(dice.pick([.close, .kill, .powerCut, .powerCut]))
                try start()
            }
        }
        try end(.close)
        try start()
    }

    private func fail(_ what: String) -> Violation {
        Violation(description: "seed \(seed), operation \(operations): \(what)")
    }

    // MARK: - Lives

    private enum End { case close, kill, powerCut }

    /// The next process: finds what it must, whatever happened.
    private func start() throws {
        disk.setFaults(.init())
        disk.kill(afterOperations: .max / 2)
        knownDeaths = deaths
        let opened: EmbeddedLog
        do {
            opened = try EmbeddedLog.open(
                directory: "/log",
                disk: disk.process(),
                configuration: configuration,
                logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
            )
        } catch {
            throw fail("the log can't be opened: \(error)")
        }
        log = opened
        restarts += 1
        let there = Set(opened.list())
        for (ref, model) in shards {
            if model.isDeletionAsked {
                // What a deletion that failed leaves is nobody's any more.
                shards[ref] = nil
            } else if !there.contains(ref) {
                if model.isCreated { throw fail("\(ref) is gone") }
                shards[ref] = nil
            } else {
                shards[ref]?.isCreated = true
            }
        }
        for ref in shards.keys.sorted() {
            let found = try readAll(ref)
            if let wrong = shards[ref]?.restarted(with: found.frames, isClosed: found.isClosed) {
                throw fail("\(ref) after a restart: \(wrong)")
            }
            survivors += found.frames.count
            try checkEnds(ref)
        }
    }

    private func end(_ how: End) throws {
        guard let log else { return }
        switch how {
        case .close:
            // What is queued is answered first.
            while log.thread.turn() {}
            log.finish()
        case .kill: disk.kill()
        case .powerCut: disk.crash()
        }
        abandon()
    }

    private func abandon() {
        for ref in shards.keys { shards[ref]?.appender = nil }
        log = nil
    }

    private var deaths: Int { disk.counters.crashes + disk.counters.kills }
    private var knownDeaths = 0

    // MARK: - One operation

    private func step() throws {
        guard let log else { return }
        let refs = shards.keys.sorted()
        switch dice.below(100) {
        case 0..<4: create()
        case 4..<5: if let ref = dice.element(refs) { delete(ref) }
        case 5..<45: if let ref = dice.element(refs) { try append(ref) }
        case 45..<70: log.thread.turn()
        case 70..<80: if let ref = dice.element(refs) { try readSome(ref) }
        case 80..<84: if let ref = dice.element(refs) { try search(ref) }
        case 84..<88: if let ref = dice.element(refs) { try trim(ref) }
        case 88..<89: if let ref = dice.element(refs) { close(ref) }
        case 89..<91: if let ref = dice.element(refs) { shards[ref]?.appender = nil }
        case 91..<94: setFaults()
        case 94..<95: log.settler.work()
        case 95..<97: clock += Int64(dice.below(1_000))
        default:
            // In the middle of a call to come.
            if dice.happens(0.5) {
                disk.crash(afterOperations: dice.below(60))
            } else {
                disk.kill(afterOperations: dice.below(60))
            }
        }
    }

    private func setFaults() {
        let isStormy = dice.happens(0.5)
        func rate(_ most: Double) -> Double { isStormy && dice.happens(0.4) ? most * Double(dice.below(100)) / 100 : 0 }
        disk.setFaults(
            .init(
                write: rate(0.2),
                outOfSpace: rate(0.2),
                sync: rate(0.3),
                read: rate(0.1),
                truncate: rate(0.3),
                syncFolder: rate(0.2),
                open: rate(0.1),
                list: rate(0.1),
                makeFolder: rate(0.3),
                move: rate(0.2),
                remove: rate(0.2),
                capacity: dice.happens(0.2) ? disk.used + UInt64(dice.below(30_000)) : nil
            )
        )
    }

    private func create() {
        let ref = ShardRef(stream: "s\(dice.below(2))", index: UInt32(dice.below(4)))
        guard shards[ref] == nil, let log else { return }
        // A name is never used again: streams made anew have new identities.
        let fresh = ShardRef(stream: "\(ref.stream)-\(operations)", index: ref.index)
        shards[fresh] = ShardModel()
        do {
            try log.create(fresh)
            shards[fresh]?.isCreated = true
        } catch {
            // It may be there after a restart.
        }
    }

    private func delete(_ ref: ShardRef) {
        guard let log, shards.count > 1, shards[ref]?.isCreated == true else { return }
        while log.thread.turn() {}
        shards[ref]?.isDeletionAsked = true
        shards[ref]?.appender = nil
        if (try? log.delete(ref)) != nil { shards[ref] = nil }
    }

    /// Gets or makes the appender; nil when the log refuses.
    private func appender(_ ref: ShardRef) throws -> EmbeddedAppender? {
        if let appender = shards[ref]?.appender { return appender }
        guard let log, let folder = try? log.find(ref) else { return nil }
        let box = Mutex<Result<LogCall.Outcome, ShardLogError>?>(nil)
        log.thread.add(
            LogRequest(folder, .open(expecting: nil) { result in box.withLock { $0 = result } })
        )
        while log.thread.turn() {}
        guard case .success(let outcome)? = box.withLock({ $0 }) else { return nil }
        let appender = EmbeddedAppender(shard: folder, owner: outcome.owner, tail: outcome.tail, thread: log.thread)
        if let wrong = shards[ref]?.opened(tail: outcome.tail) { throw fail("\(ref): \(wrong)") }
        shards[ref]?.appender = appender
        return appender
    }

    private func append(_ ref: ShardRef) throws {
        guard shards[ref]?.isDeletionAsked == false, shards[ref]?.isCreated == true else { return }
        guard let appender = try appender(ref) else { return }
        var frames: [AppendFrame] = []
        var numbers: [ShardModel.Asked] = []
        for _ in 0...dice.below(4) {
            number += 1
            clock += Int64(dice.below(3))
            let made = frame(number, bytes: dice.pick([1, 40, 300, 1_500]), arrival: clock)
            frames.append(made)
            numbers.append(ShardModel.Asked(number: number, arrival: clock))
        }
        let attempt = shards[ref]?.ask(numbers) ?? 0
        nonisolated(unsafe) let simulation = self
        @Sendable func answered(_ result: Result<[Position], ShardLogError>) {
            if case .success = result { simulation.acknowledged += 1 }
            simulation.shards[ref]?.answer(attempt, result)
        }
        if frames.count == 1 {
            appender.append(frames[0], tag: attempt, caller: Teller { answered($1.map { [$0] }) })
        } else {
            appender.append(frames, completion: answered)
        }
        if dice.happens(0.3) { log?.thread.turn() }
    }

    private func close(_ ref: ShardRef) {
        guard let log, dice.happens(0.3), let appender = shards[ref]?.appender, let folder = try? log.find(ref) else {
            return
        }
        while log.thread.turn() {}
        shards[ref]?.isCloseAsked = true
        nonisolated(unsafe) let simulation = self
        log.thread.add(
            LogRequest(
                folder,
                by: appender,
                .close { result in
                    if case .success = result { simulation.shards[ref]?.isClosed = true }
                }
            )
        )
        while log.thread.turn() {}
    }

    // MARK: - Looking

    private func readAll(_ ref: ShardRef) throws -> (frames: [ShardModel.Found], isClosed: Bool) {
        guard let log else { return ([], false) }
        var (position, all) = (Position.start, [ShardModel.Found]())
        let step = dice.pick([1, 1_000, 100_000])
        do {
            while true {
                let slab = try log.read(ref, from: position, maxBytes: step)
                if slab.frames.isEmpty { return (all, try log.bounds(ref).isClosed) }
                all += try found(slab)
                position = slab.next
            }
        } catch {
            throw fail("\(ref) can't be read at \(position): \(error)")
        }
    }

    private func found(_ slab: FrameSlab) throws -> [ShardModel.Found] {
        try slab.frames.map { frame in
            try slab.bytes.withUnsafeBytes { bytes in
                let view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
                return ShardModel.Found(
                    number: Int(view.baseOffset),
                    position: frame.position,
                    arrival: view.arrivalMilliseconds
                )
            }
        }
    }

    /// From anywhere, in a life: what was acknowledged and nothing else. A disk that can't be read is an answer, too.
    private func readSome(_ ref: ShardRef) throws {
        guard let log, let model = shards[ref], model.isCreated, !model.isDeletionAsked else { return }
        let start = model.anyPosition(&dice)
        guard let slab = try? log.read(ref, from: start, maxBytes: dice.pick([1, 2_000])) else { return }
        if let wrong = model.check(try found(slab), from: start, next: slab.next) { throw fail("\(ref): \(wrong)") }
    }

    private func checkEnds(_ ref: ShardRef) throws {
        guard let log, let model = shards[ref] else { return }
        do {
            let bounds = try log.bounds(ref)
            if let wrong = model.check(bounds) { throw fail("\(ref): \(wrong)") }
        } catch let error as ShardLogError {
            throw fail("\(ref) has no bounds: \(error)")
        }
    }

    private func search(_ ref: ShardRef) throws {
        guard let log, let model = shards[ref], model.isCreated, !model.isDeletionAsked else { return }
        let time = model.anyArrival(&dice)
        if let position = try? log.position(ref, arrivedAtOrAfter: time),
            let expected = model.position(arrivedAtOrAfter: time), position != expected
        {
            throw fail("\(ref): the first frame at \(time) is said to be at \(position), and is at \(expected)")
        }
        let made = Position(rawValue: model.anyPosition(&dice).rawValue + UInt64(dice.below(50)))
        if let position = try? log.position(ref, atOrAfter: made), let expected = model.position(atOrAfter: made),
            position != expected
        {
            throw fail("\(ref): the first frame from \(made) on is said to be at \(position), and is at \(expected)")
        }
    }

    private func trim(_ ref: ShardRef) throws {
        guard let log, let model = shards[ref], model.isCreated, !model.isDeletionAsked, let folder = try? log.find(ref)
        else { return }
        while log.thread.turn() {}
        let time = model.anyArrival(&dice)
        guard let first = try? log.trimmed(folder, arrivedBefore: time) else { return }
        let asked = shards[ref]?.askTrim(before: time)
        let box = Mutex<Result<LogCall.Outcome, ShardLogError>?>(nil)
        log.thread.add(
            LogRequest(folder, .trim(first: first) { result in box.withLock { $0 = result } })
        )
        while log.thread.turn() {}
        guard case .success? = box.withLock({ $0 }) else { return }
        if let asked { shards[ref]?.trimmed(to: asked) }
        try? log.removeLeftovers(folder)
    }
}

extension Dice {
    mutating func element<T>(_ list: [T]) -> T? { list.isEmpty ? nil : list[below(list.count)] }
    mutating func pick<T>(_ list: [T]) -> T { list[below(list.count)] }
}
