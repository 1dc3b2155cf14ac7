import ArgumentParser
import Consumer
import Logging

/// Files instead of a command.
struct SinkOptions: ParsableArguments {
    @Option(help: "Write records into files below this folder, each in exactly one finished file.")
    var sinkDir: String?

    @Option(help: "A file is finished at this size in bytes; 1 to 1073741824, default 5242880.")
    var sinkBytes: String?

    @Option(help: "A file is finished when its first record is this old; 1 to 86400, default 10.")
    var sinkSeconds: String?

    @Option(help: "jsonl (default): one object per record; raw: the data, one line per record.")
    var sinkFormat: String?

    func handlers(_ directory: String, _ stream: String, _ environment: Environment) throws -> any ShardHandlers {
        // Two sequence numbers of 56 digits, a shard id of 20, separators and the ending must fit into a file name.
        guard stream.utf8.count <= 112 else {
            throw Problem.configuration(
                "--stream: a name of \(stream.utf8.count) characters leaves no room in the names of sink files; 112 is the most"
            )
        }
        var policy = SinkPolicy()
        if let bytes = try environment.number("sink-bytes", sinkBytes, in: 1...1 << 30) { policy.byteLimit = bytes }
        if let age = try environment.number("sink-seconds", sinkSeconds, in: 1...86_400) { policy.age = .seconds(age) }
        if let text = environment.text("sink-format", sinkFormat) {
            guard let format = SinkPolicy.Format(rawValue: text) else {
                throw Problem.configuration("--sink-format: found '\(text)', expected jsonl or raw")
            }
            policy.format = format
        }
        return SinkHandlers(directory: directory, policy: policy)
    }
}

/// A command for each batch.
struct CommandOptions: ParsableArguments {
    @Option(help: "The most records of one run of the command; 1 to 10000, default 500.")
    var batchSize: String?

    @Option(help: "How long an incomplete batch waits for more records; 0 to 3600000, default 0.")
    var batchWindowMilliseconds: String?

    @Option(help: "After so many failures a batch goes to --dead-letter-file; default: tried for ever.")
    var maxAttempts: String?

    @Option(help: "Where batches go that are given up, one JSON object per line.")
    var deadLetterFile: String?

    @Argument(parsing: .postTerminator, help: "The program and its arguments, behind --.")
    var command: [String] = []

    func handlers(_ environment: Environment, _ logger: Logger) throws -> any ShardHandlers {
        let program = command[0]
        guard CommandHandler.canRun(program, path: environment.variables["PATH"]) else {
            throw Problem.configuration(
                "the command '\(program)' can't be run: there is no executable of this name"
                    + (program.contains("/") ? "" : " in PATH")
            )
        }
        var policy = BatchPolicy()
        if let size = try environment.number("batch-size", batchSize, in: 1...10_000) { policy.size = size }
        let window = try environment.number("batch-window-milliseconds", batchWindowMilliseconds, in: 0...3_600_000)
        policy.window = .milliseconds(window ?? 0)
        policy.maximumAttempts = try environment.number("max-attempts", maxAttempts, in: 1...1_000_000)
        let path = environment.text("dead-letter-file", deadLetterFile)
        if policy.maximumAttempts != nil, path == nil {
            logger.notice("--max-attempts without --dead-letter-file: batches that fail are tried for ever")
        }
        return BatchHandlers(
            CommandHandler(arguments: command),
            policy: policy,
            deadLetters: path.map { DeadLetterFile(path: $0) },
            logger: logger
        )
    }
}
