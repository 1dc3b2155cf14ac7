/// Virtual time: things happen in the order of their times, on one thread, so a seed gives one history.
final class SimulatedTime {
    private struct Event {
        var time: Duration
        var order: Int
        var body: () -> Void
    }

    private(set) var now: Duration = .zero
    private var heap: [Event] = []
    private var count = 0

    func after(_ delay: Duration, _ body: @escaping () -> Void) {
        count += 1
        heap.append(Event(time: now + delay, order: count, body: body))
        var child = heap.count - 1
        while child > 0, isBefore(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    func run(for duration: Duration) {
        let end = now + duration
        while let first = heap.first, first.time <= end {
            removeFirst()
            now = first.time
            first.body()
        }
        now = end
    }

    private func isBefore(_ a: Event, _ b: Event) -> Bool { (a.time, a.order) < (b.time, b.order) }

    private func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(heap[child], heap[least])
            {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
