import Synchronization
import Testing

@testable import CollectorServer

@Suite("the budget of bodies")
struct BodyBudgetTests {
    private let step = BodyBudget.step
    private let free = BodyBudget.free

    @Test("a small body is not counted")
    func small() {
        let budget = BodyBudget(total: 0, spare: 0)
        #expect(budget.begin().grow(to: free) {} == .granted)
        #expect(budget.held == 0)
    }

    @Test("a body beyond the total waits, and goes on when another gives back")
    func waits() {
        let budget = BodyBudget(total: 2 * step, spare: 0)
        let first = budget.begin()
        let resumed = Mutex(0)
        #expect(first.grow(to: free + 2 * step) {} == .granted)
        // The spare lets one body go on by one step; the next one waits.
        let (second, third) = (budget.begin(), budget.begin())
        #expect(second.grow(to: free + 1) {} == .granted)
        #expect(third.grow(to: free + 1) { resumed.withLock { $0 += 1 } } == .waits)
        first.release()
        #expect(resumed.withLock { $0 } == 1)
        second.release()
        third.release()
        third.release()
        #expect(budget.held == 0)
    }

    @Test("what a body reads while it waits is asked for once, and the body goes on when there is room for all of it")
    func growsWhileWaiting() {
        let limit = 8 * step
        let budget = BodyBudget(total: step, spare: limit)
        let (other, body) = (budget.begin(), budget.begin())
        let resumed = Mutex(0)
        #expect(other.grow(to: free + step) {} == .granted)
        let favoured = budget.begin()
        #expect(favoured.grow(to: free + step) {} == .granted)
        #expect(favoured.grow(to: free + limit) {} == .granted)
        // Pieces that were on their way when it had to wait.
        for count in 1...8 { #expect(body.grow(to: free + count * step) { resumed.withLock { $0 += 1 } } == .waits) }
        #expect(budget.waiting == 1)
        favoured.release()
        other.release()
        #expect(resumed.withLock { $0 } == 1)
        #expect(budget.held == limit)
        body.release()
        #expect(budget.held == 0)
    }

    @Test("bodies that all wait for each other come to their ends one after the other")
    func progress() {
        let limit = 8 * step
        let budget = BodyBudget(total: 10 * step, spare: limit)
        let bodies = (0..<10).map { _ in budget.begin() }
        var counts = Array(repeating: free, count: bodies.count)
        let ready = Mutex(Set(bodies.indices))
        var done = 0
        // Each takes a step in turn until all are through; the order is the worst there is.
        while done < bodies.count {
            let turn = ready.withLock { $0.sorted() }
            #expect(!turn.isEmpty)
            if turn.isEmpty { break }
            for index in turn {
                if counts[index] >= free + limit {
                    bodies[index].release()
                    ready.withLock { _ = $0.remove(index) }
                    done += 1
                    continue
                }
                counts[index] += step
                let outcome = bodies[index].grow(to: counts[index]) { ready.withLock { _ = $0.insert(index) } }
                #expect(outcome != .refused)
                if outcome == .waits { ready.withLock { _ = $0.remove(index) } }
                #expect(budget.held <= 10 * step + limit + step)
            }
        }
        #expect(budget.held == 0)
        #expect(budget.waiting == 0)
    }

    @Test("a body that stops waiting is not granted any more")
    func stops() {
        let budget = BodyBudget(total: 0, spare: 0)
        let (first, second) = (budget.begin(), budget.begin())
        #expect(first.grow(to: free + 1) {} == .granted)
        #expect(second.grow(to: free + 1) { Issue.record("it was resumed") } == .waits)
        #expect(second.stopWaiting())
        #expect(!second.stopWaiting())
        first.release()
        #expect(budget.held == 0)
    }

    @Test("only so many bodies wait")
    func crowd() {
        let budget = BodyBudget(total: 0, spare: 0)
        let holds = (0...BodyBudget.waitersAtMost + 1).map { _ in budget.begin() }
        let outcomes = holds.map { $0.grow(to: free + 1) {} }
        #expect(outcomes.first == .granted)
        #expect(outcomes.last == .refused)
        #expect(budget.waiting == BodyBudget.waitersAtMost)
        for hold in holds { _ = hold.stopWaiting() }
    }
}
