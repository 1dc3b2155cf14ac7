import ShardLog
import Synchronization
import Testing

@Suite("waiting for a shard to move", .timeLimit(.minutes(1)))
struct WaiterListTests {
    @Test("ends when its time is up, short waits behind long ones too", arguments: [1, 20, 300])
    func times(milliseconds: Int) async {
        let list = WaiterList()
        // A long one is there already.
        let long = Task { await list.wait(upTo: .seconds(3600)) { false } }
        let time = await ContinuousClock().measure { await list.wait(upTo: .milliseconds(milliseconds)) { false } }
        #expect(time >= .milliseconds(milliseconds))
        #expect(time < .milliseconds(milliseconds + 2000), "it took \(time)")
        long.cancel()
        await long.value
    }

    @Test("does not begin when there is nothing to wait for")
    func ready() async {
        let list = WaiterList()
        await list.wait(upTo: .seconds(3600)) { true }
        await list.wait(upTo: .zero) { false }
        await list.wait(upTo: .seconds(-1)) { false }
    }

    @Test("ends for all when the shard moves, and for one when it is cancelled")
    func wakes() async {
        let list = WaiterList()
        let (waiting, moves) = (Count(), Count())
        let tasks = (0..<100).map { _ in
            Task {
                await list.wait(upTo: .seconds(3600)) {
                    waiting.add()
                    return moves.value > 0
                }
            }
        }
        while waiting.value < 100 { await Task.yield() }
        tasks[0].cancel()
        await tasks[0].value
        moves.add()
        list.wake()
        for task in tasks { await task.value }
    }

    @Test("a cancelled task does not wait")
    func cancelled() async {
        let list = WaiterList()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            await list.wait(upTo: .seconds(3600)) { false }
        }
        task.cancel()
        await task.value
    }

    @Test("no wake-up is lost to a race with the wait")
    func races() async {
        let list = WaiterList()
        let moves = Count()
        let mover = Task {
            for _ in 0..<2000 {
                moves.add()
                list.wake()
                await Task.yield()
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var seen = 0
                    while seen < 2000 {
                        let known = seen
                        await list.wait(upTo: .seconds(3600)) { moves.value > known }
                        seen = moves.value
                    }
                }
            }
        }
        await mover.value
    }

    private final class Count: Sendable {
        private let state = Mutex(0)
        var value: Int { state.withLock { $0 } }
        func add() { state.withLock { $0 += 1 } }
    }
}
