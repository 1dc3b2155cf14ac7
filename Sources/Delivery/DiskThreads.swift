import Glibc
import Synchronization

/// Runs delivery tasks on threads of their own: they wait for the disk, and the threads that answer requests must not.
final class DiskThreads: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var next = 0
        var isStopped = false
    }

    private final class Semaphore: @unchecked Sendable {  // because sem_t is made for sharing
        private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        init() { sem_init(semaphore, 0, 0) }
        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }
        func signal() { sem_post(semaphore) }
        func wait() { while sem_wait(semaphore) != 0, errno == EINTR {} }
    }

    private let state = Mutex(State())
    private let work = Semaphore()
    private let count: Int

    init(count: Int) {
        self.count = count
        for _ in 0..<count { start() }
    }

    private func start() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let failure = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<DiskThreads>.fromOpaque(context).takeRetainedValue().loop()
                return nil
            },
            context.toOpaque()
        )
        precondition(failure == 0, "can't start a thread: \(String(cString: strerror(failure)))")
        pthread_detach(thread)
    }

    /// Threads end when they have nothing to do.
    func stop() {
        state.withLock { $0.isStopped = true }
        for _ in 0..<count { work.signal() }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
        work.signal()
    }

    private func loop() {
        while true {
            work.wait()
            let (job, isStopped) = state.withLock { state in
                guard state.next < state.jobs.count else { return (UnownedJob?.none, state.isStopped) }
                let job = state.jobs[state.next]
                state.next += 1
                if state.next == state.jobs.count || state.next > 1024 {
                    state.jobs.removeFirst(state.next)
                    state.next = 0
                }
                return (job, false)
            }
            job?.runSynchronously(on: asUnownedTaskExecutor())
            if isStopped { return }
        }
    }
}
