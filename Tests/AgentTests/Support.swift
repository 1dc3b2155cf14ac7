import AWSProtocol
import FileTail
import Foundation
import JournalTail
import Logging
import Synchronization

@testable import Agent

/// A flow into stream `s`, quick to send.
func testFlow(_ destination: FlowDestination = .stream("s"), age: Duration = .milliseconds(1)) -> FlowConfiguration {
    var flow = FlowConfiguration(
        id: "kinesis:s:/x",
        input: .files(FileTailConfiguration(pattern: "/x/y")),
        destination: destination
    )
    flow.maxBufferAge = age
    flow.retryInitialBackoff = .milliseconds(1)
    flow.retryMaxBackoff = .milliseconds(5)
    flow.pollInterval = .milliseconds(5)
    return flow
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A chunk of texts, numbered densely.
func chunk(_ producer: UInt64, from first: Int64, _ texts: [String]) -> SourceChunk {
    var chunk = SourceChunk(producer: producer, bytes: [], ends: [], numbering: .dense(from: first))
    for text in texts {
        chunk.bytes += Array(text.utf8)
        chunk.ends.append(chunk.bytes.count)
        chunk.offsets.append(Int64(chunk.bytes.count))
    }
    return chunk
}

func batch(_ chunks: SourceChunk...) -> Batch {
    var batch = Batch()
    for chunk in chunks { _ = batch.append(chunk, from: 0, within: BatchLimits(records: 100_000, bytes: .max / 2)) }
    return batch
}

/// One record of a request, as a server sees it.
struct SentRecord: Equatable {
    var data: String
    var key: String?
}

func records(of body: [UInt8]) throws -> [SentRecord] {
    let json = try JSONValue(parsing: body)
    return (json["Records"]?.array ?? []).map { record in
        let data = record["Data"]?.string.flatMap { Data(base64Encoded: $0) } ?? Data()
        return SentRecord(data: String(decoding: data, as: UTF8.self), key: record["PartitionKey"]?.string)
    }
}

/// A source that gives numbered lines and remembers what was acknowledged; a "restart" reads on behind that.
final class ScriptedSource: RecordSource {
    let lines: [String]
    let producer: UInt64 = 7
    private var nextLine: Int
    private(set) var acknowledged: Int
    private(set) var revision: UInt64 = 1

    init(lines: [String], from start: Int = 0) {
        self.lines = lines
        nextLine = start
        acknowledged = start
    }

    func start(wake: @escaping @Sendable () -> Void) {}
    func refresh() throws -> [SourceNotice] { [] }

    func next(maxBytes: Int) -> SourceChunk? {
        guard nextLine < lines.count else { return nil }
        let end = min(lines.count, nextLine + 3)
        defer { nextLine = end }
        return chunk(producer, from: Int64(nextLine), Array(lines[nextLine..<end]))
    }

    func acknowledge(_ chunk: SourceChunk, through record: Int) { acknowledged = Int(chunk.sequence(record)) + 1 }

    func checkpoints() -> SourceCheckpoints {
        .files([
            FileCheckpoint(
                source: SourceID(rawValue: producer),
                path: "/x/y",
                device: 1,
                inode: 2,
                fingerprint: Fingerprint(),
                offset: 0,
                sequence: Int64(acknowledged)
            )
        ])
    }

    var lagBytes: Int64 { 0 }
    func stop() {}
}

/// Remembers what was saved, and can refuse to.
final class MemoryCheckpoints: CheckpointSaving {
    let saves = Mutex<[SourceCheckpoints]>([])
    let refuses = Mutex(false)

    func save(_ checkpoints: SourceCheckpoints, flow: String) throws(AgentError) {
        if refuses.withLock({ $0 }) { throw AgentError("the disk is full") }
        saves.withLock { $0.append(checkpoints) }
    }

    var sequence: Int64? {
        saves.withLock { saves in
            guard case .files(let files)? = saves.last else { return nil }
            return files.first?.sequence
        }
    }
}

/// A server that stores what it gets, after a script of answers.
final class ScriptedPublisher: RecordPublisher {
    enum Answer: Sendable {
        case error(PublishError)
        /// These indices are not stored.
        case failing([Int])
        /// Everything is stored, but the answer gets lost.
        case lost
    }

    struct State {
        var kind: EndpointKind
        var script: [Answer]
        var stored: [String] = []
        var producers: [String?] = []
        var requests = 0
        var probes = 0
        var inFlight = 0
        var mostInFlight = 0
    }

    let state: Mutex<State>

    init(_ kind: EndpointKind, _ script: [Answer] = []) { state = Mutex(State(kind: kind, script: script)) }

    func probe() async throws(PublishError) -> EndpointKind {
        state.withLock { state in
            state.probes += 1
            return state.kind
        }
    }

    func publish(_ request: PublishRequest) async throws(PublishError) -> [RecordFailure] {
        state.withLock { state in
            state.inFlight += 1
            state.mostInFlight = max(state.mostInFlight, state.inFlight)
        }
        await Task.yield()
        defer { state.withLock { $0.inFlight -= 1 } }
        let result: Result<[RecordFailure], PublishError> = state.withLock { state in
            state.requests += 1
            state.producers.append(request.producers)
            let sent = ((try? records(of: request.body)) ?? []).map(\.data)
            let answer = state.script.isEmpty ? nil : state.script.removeFirst()
            switch answer {
            case .error(let error)?: return .failure(error)
            case .lost?:
                state.stored += sent
                return .failure(PublishError(code: "Timeout", message: "no answer"))
            case .failing(let indices)?:
                for (index, text) in sent.enumerated() where !indices.contains(index) { state.stored.append(text) }
                return .success(indices.map { RecordFailure(index: $0, code: "Throttled", message: "slow down") })
            case nil:
                state.stored += sent
                return .success([])
            }
        }
        return try result.get()
    }
}
