import Glibc
import Synchronization

/// One run of a program in a process group of its own: bytes to its standard input, then its exit.
///
/// Standard output and error are this process's. Writing and waiting happen on a thread of their own. SIGPIPE is ignored in
/// this whole process from the first run on; the child gets the default action of every signal.
final class ChildProcess: Sendable {
    /// How a run ended.
    enum Exit: Sendable, Equatable {
        case status(Int32)
        case signal(Int32)
    }

    private struct State {
        var isReaped = false
        var isEnding = false
    }

    private let pid: pid_t
    private let input: CInt
    private let state = Mutex(State())
    private static let ignoreBrokenPipes: Void = { _ = signal(SIGPIPE, SIG_IGN) }()
    /// Held from making a pipe to the end of the spawn, so that no other child inherits its writing end.
    private static let spawning = Mutex(())

    /// Starts a program, found in PATH unless it has a slash. Throws ``CommandError/notStarted(_:errno:)``.
    init(arguments: [String], environment: [String]) throws(CommandError) {
        Self.ignoreBrokenPipes
        let started = Self.spawning.withLock { _ in
            Result { () throws(CommandError) in try Self.start(arguments, environment) }
        }
        (pid, input) = try started.get()
    }

    /// Writes the input and waits for the exit. A program that exits without reading everything is fine. When the task is
    /// cancelled, the group gets SIGTERM and, after `grace`, SIGKILL.
    func run(input bytes: [UInt8], grace: Duration) async -> Exit {
        await withTaskCancellationHandler {
            await Self.onThread {
                self.write(bytes)
                return self.wait()
            }
        } onCancel: {
            end(SIGTERM)
            Task.detached {
                do { try await ContinuousClock().sleep(for: grace) } catch { return }
                self.end(SIGKILL)
            }
        }
    }

    private func end(_ signal: CInt) {
        state.withLock { state in
            state.isEnding = true
            if !state.isReaped { kill(-pid, signal) }
        }
    }

    private func write(_ bytes: [UInt8]) {
        var at = 0
        defer { close(input) }
        while at < bytes.count, !state.withLock({ $0.isEnding }) {
            let count = bytes.withUnsafeBytes { Glibc.write(input, $0.baseAddress?.advanced(by: at), bytes.count - at) }
            if count >= 0 {
                at += count
            } else if errno == EAGAIN {
                var ready = pollfd(fd: input, events: Int16(POLLOUT), revents: 0)
                // Something it started may hold its input open, and never read.
                if poll(&ready, 1, 100) == 0, hasExited { return }
            } else if errno != EINTR {
                return
            }
        }
    }

    private var hasExited: Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo != 0
    }

    /// Waits without reaping, so that the id stays this child's until no signal can be sent any more.
    private func wait() -> Exit {
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        return state.withLock { state in
            if state.isEnding { kill(-pid, SIGKILL) }
            var status: CInt = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            state.isReaped = true
            let signal = status & 0x7F
            return signal == 0 ? .status(status >> 8 & 0xFF) : .signal(signal)
        }
    }

    private static func start(
        _ arguments: [String],
        _ environment: [String]
    ) throws(CommandError) -> (pid: pid_t, input: CInt) {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .notStarted(arguments.first ?? "", errno: errno) }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        do {
            return (try spawn(arguments, environment, input: ends[0]), ends[1])
        } catch {
            close(ends[1])
            throw error
        }
    }

    private static func spawn(
        _ arguments: [String],
        _ environment: [String],
        input: CInt
    ) throws(CommandError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var argv = arguments.map { strdup($0) } + [nil]
        var envp = environment.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, arguments.first ?? "", &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw .notStarted(arguments.first ?? "", errno: code) }
        return pid
    }

    private final class Job: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private static func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            let job = Unmanaged.passRetained(Job { continuation.resume(returning: body()) })
            var thread = pthread_t()
            let code = pthread_create(
                &thread,
                nil,
                { argument in
                    if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().body() }
                    return nil
                },
                job.toOpaque()
            )
            if code == 0 {
                pthread_detach(thread)
            } else {
                // No thread to be had: this one waits instead.
                job.takeRetainedValue().body()
            }
        }
    }
}
