import AWSProtocol
import Logging
import Synchronization

/// The keys that count now, and the files they come from: an edit counts within a second, a broken one leaves everything as
/// it was.
public final class AccessWatch: Sendable {
    private struct State {
        var keys: AccessKeys
        var marks: [String: FileMark]
        var others: [String: JSONValue]
    }

    private let files: AccessFiles
    private let logger: Logger
    private let state: Mutex<State>

    /// Why the first reading failed.
    public struct Problem: Error, CustomStringConvertible {
        /// At least one line.
        public var lines: [String]
        public var description: String { lines.joined(separator: "\n") }
    }

    /// Reads the files, or makes a first key where there is no credentials file.
    public init(_ files: AccessFiles, logger: Logger) throws(Problem) {
        self.files = files
        self.logger = logger
        do throws(CredentialsFile.Problem) {
            if try CredentialsFile(path: files.credentials) == nil {
                _ = try CredentialsFile.generate(at: files.credentials)
            }
        } catch {
            throw Problem(lines: [error.description])
        }
        let (reading, marks) = Self.read(files)
        guard let keys = reading.keys else { throw Problem(lines: reading.problems) }
        for notice in reading.notices {
            logger.notice("worth knowing of keys and policies", metadata: ["notice": "\(notice)"])
        }
        state = Mutex(State(keys: keys, marks: marks, others: reading.others))
    }

    func entry(_ accessKeyID: String) -> AccessKeys.Entry? { state.withLock { $0.keys.entries[accessKeyID] } }

    /// Looks at the files once a second, until cancelled.
    public func run() async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            let known = state.withLock { $0.marks }
            if known.contains(where: { FileMark($0.key) != $0.value }) { reload() }
        }
    }

    /// Reads the files now.
    public func reload() {
        let (reading, marks) = Self.read(files)
        guard let keys = reading.keys else {
            // A secret's file that could not be read is looked at again too.
            state.withLock { $0.marks.merge(marks) { $1 } }
            for problem in reading.problems {
                logger.error("keys and policies stay as they were", metadata: ["problem": "\(problem)"])
            }
            return
        }
        let changed = state.withLock { state in
            let names = files.otherKeys.filter { state.others[$0] != reading.others[$0] }
            state = State(keys: keys, marks: marks, others: reading.others)
            return names
        }
        logger.info("keys and policies were read again", metadata: ["keys": "\(keys.count)"])
        for notice in reading.notices {
            logger.notice("worth knowing of keys and policies", metadata: ["notice": "\(notice)"])
        }
        if !changed.isEmpty {
            logger.notice(
                "changed settings count from the next start",
                metadata: ["settings": "\(changed.joined(separator: ", "))"]
            )
        }
    }

    /// Marks are taken before the files are read: what is written meanwhile differs from them, and is read again.
    private static func read(_ files: AccessFiles) -> (AccessFiles.Reading, [String: FileMark]) {
        var paths: Set<String> = []
        while true {
            let marks = Dictionary(uniqueKeysWithValues: paths.map { ($0, FileMark($0)) })
            let reading = files.read()
            if reading.paths.isSubset(of: paths) { return (reading, marks) }
            paths = reading.paths
        }
    }
}
