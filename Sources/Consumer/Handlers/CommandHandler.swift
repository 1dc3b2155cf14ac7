import Glibc

/// Runs a command for each batch: the records as ``RecordLine`` on its standard input, exit status 0 for "finished".
///
/// The command finds `MILLRACE_SHARD_ID`, `MILLRACE_STREAM` and `MILLRACE_ATTEMPT` (from 1) in its environment. It runs in
/// a process group of its own, which is ended when the lease is lost or the worker stops.
public struct CommandHandler: RecordHandler {
    /// The program and its arguments.
    public let arguments: [String]
    /// How long the group has between SIGTERM and SIGKILL.
    public var grace: Duration = .seconds(2)
    private let environment: [String]

    /// A program, found in PATH unless it has a slash; `environment` as `NAME=value` (by default this process's at start).
    public init(arguments: [String], environment: [String]? = nil) {
        self.arguments = arguments
        self.environment = (environment ?? Self.ownEnvironment()).filter { entry in
            !["MILLRACE_SHARD_ID=", "MILLRACE_STREAM=", "MILLRACE_ATTEMPT="].contains { entry.hasPrefix($0) }
        }
    }

    public func handle(_ records: [ConsumedRecord], shard: ShardContext, attempt: Int) async throws {
        try Task.checkCancellation()
        let own = [
            "MILLRACE_SHARD_ID=\(shard.shard)", "MILLRACE_STREAM=\(shard.stream)", "MILLRACE_ATTEMPT=\(attempt)",
        ]
        let child = try ChildProcess(arguments: arguments, environment: environment + own)
        let exit = await child.run(input: RecordLine.lines(records, shard: shard.shard), grace: grace)
        switch exit {
        case .status(0): return
        case .status(let status): throw CommandError.failed(arguments.first ?? "", status: status)
        case .signal(let signal): throw CommandError.killed(arguments.first ?? "", signal: signal)
        }
    }

    /// Whether a program of this name can be run: it has a slash and is executable, or PATH leads to one.
    public static func canRun(_ program: String, path: String?) -> Bool {
        if program.contains("/") { return isExecutable(program) }
        let folders = (path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false)
        return folders.contains { isExecutable("\($0.isEmpty ? "." : $0)/\(program)") }
    }

    private static func isExecutable(_ path: String) -> Bool {
        var facts = stat()
        return access(path, X_OK) == 0 && stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG
    }

    private static func ownEnvironment() -> [String] {
        var entries: [String] = []
        var at = environ
        while let entry = at.pointee {
            entries.append(String(cString: entry))
            at += 1
        }
        return entries
    }
}

/// Why a command did not finish a batch.
public enum CommandError: Error, Sendable, Equatable, CustomStringConvertible {
    /// It could not be started.
    case notStarted(String, errno: CInt)
    /// It exited with another status than 0.
    case failed(String, status: CInt)
    /// A signal ended it.
    case killed(String, signal: CInt)

    public var description: String {
        switch self {
        case .notStarted(let name, let errno):
            "the command \(name) could not be started: \(String(cString: strerror(errno)))"
        case .failed(let name, let status): "the command \(name) exited with status \(status)"
        case .killed(let name, let signal): "the command \(name) was ended by signal \(signal)"
        }
    }
}
