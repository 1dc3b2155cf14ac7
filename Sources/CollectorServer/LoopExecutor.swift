import NIOCore

/// Runs a task on a connection's event loop, where its request came in and its answer goes out. For short work only: a put of
/// one record costs less than handing it to another thread and back, twice.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
