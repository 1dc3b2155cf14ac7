import AWSProtocol
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import AWSClient

/// Calls over a real socket to a server that answers what it is told to.
@Suite("calls")
struct CallTests {
    /// One answer: a status, headers and a body; or the connection is closed without one.
    enum Answer: Sendable {
        case answer(Int, String, headers: [(String, String)] = [])
        case hangUp
    }

    /// Answers requests from a list, in order, the last one for ever; counts them.
    final class Server: Sendable {
        private struct State {
            var answers: [Answer]
            var requests: [HTTPHeaders] = []
        }

        private let state: Mutex<State>

        init(_ answers: [Answer]) { state = Mutex(State(answers: answers)) }

        var requests: [HTTPHeaders] { state.withLock { $0.requests } }

        func next(_ headers: HTTPHeaders) -> Answer {
            state.withLock { state in
                state.requests.append(headers)
                return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
            }
        }

        func start() async throws -> any Channel {
            try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                        try channel.pipeline.syncOperations.addHandler(Handler(self))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let server: Server
        private var headers = HTTPHeaders()

        init(_ server: Server) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): headers = head.headers
            case .body: break
            case .end:
                guard case .answer(let status, let body, let extra) = server.next(headers) else {
                    context.close(promise: nil)
                    return
                }
                var fields = HTTPHeaders([("content-length", "\(body.utf8.count)")])
                for (name, value) in extra { fields.add(name: name, value: value) }
                let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields)
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }

    /// Makes one call of up to four attempts; what came of it, and the requests that arrived.
    private func call(_ answers: [Answer]) async throws -> (Result<AWSResponse, AWSClientError>, [HTTPHeaders]) {
        let server = Server(answers)
        let channel = try await server.start()
        let client = try AWSClient(
            configuration: AWSConfiguration(
                region: "us-east-1",
                endpointURL: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)",
                credentials: StaticCredentials(
                    SigningCredentials(accessKeyID: "AKID", secretAccessKey: "secret", sessionToken: nil)
                ),
                timeout: .seconds(10)
            ),
            retry: RetryPolicy(attempts: 4, initial: .milliseconds(1), limit: .milliseconds(2)),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let result: Result<AWSResponse, AWSClientError>
        do {
            result = .success(try await client.call(.kinesis, "ListStreams", body: Array("{}".utf8)))
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        try await channel.close()
        return (result, server.requests)
    }

    private static let good = Answer.answer(200, #"{"StreamNames":[]}"#)

    @Test("an answer is given back, and the request named its target and was signed")
    func success() async throws {
        let (result, requests) = try await call([Self.good])
        #expect(String(decoding: try result.get().body, as: UTF8.self) == #"{"StreamNames":[]}"#)
        #expect(requests.count == 1)
        #expect(requests[0].first(name: "x-amz-target") == "Kinesis_20131202.ListStreams")
        #expect(requests[0].first(name: "authorization")?.contains("Credential=AKID/") == true)
    }

    @Test(
        "what may pass is tried again: throttling, the server's own errors, and a broken connection",
        arguments: [
            Answer.answer(400, #"{"__type":"ProvisionedThroughputExceededException","message":"m"}"#),
            .answer(400, #"{"__type":"LimitExceededException","message":"m"}"#),
            .answer(500, #"{"__type":"InternalFailure"}"#),
            .answer(503, #"{"__type":"ServiceUnavailableException"}"#),
            .hangUp,
        ]
    )
    func retries(answer: Answer) async throws {
        let (result, requests) = try await call([answer, answer, Self.good])
        #expect(try result.get().status == 200)
        #expect(requests.count >= 3)
    }

    @Test("the last failure is told when the attempts are used up")
    func givesUp() async throws {
        let (result, requests) = try await call([.answer(500, #"{"__type":"InternalFailure","message":"m"}"#)])
        #expect(throws: AWSClientError(.service(AWSError("InternalFailure", "", status: 500)), "")) { try result.get() }
        #expect(requests.count == 4)
    }

    @Test("a client's own mistake is told at once, with AWS's code and words")
    func refusal() async throws {
        let refused = Answer.answer(400, #"{"__type":"com.amazonaws#ResourceNotFoundException","message":"no s"}"#)
        let (result, requests) = try await call([refused])
        #expect(requests.count == 1)
        guard case .failure(let error) = result else { throw CancellationError() }
        #expect(error.serviceCode == "ResourceNotFoundException" && "\(error)".contains("no s"))
    }

    @Test("a page that is no AWS answer is named as one")
    func foreign() async throws {
        let (result, _) = try await call([.answer(404, "<html>")])
        guard case .failure(let error) = result else { throw CancellationError() }
        #expect(error.code == .badResponse && "\(error)".contains("is it a Kinesis endpoint?"))
    }

    @Test("a clock that differs from the server's is corrected once, and the call made again")
    func clock() async throws {
        let words =
            "Signature not yet current: 20380101T000000Z is still later than 20200101T000500Z (20200101T000000Z + 5 min.)"
        let (result, requests) = try await call([
            .answer(400, #"{"__type":"InvalidSignatureException","message":"\#(words)"}"#), Self.good,
        ])
        #expect(try result.get().status == 200)
        #expect(requests.count == 2)
        #expect(requests[1].first(name: "x-amz-date")?.hasPrefix("20200101T0000") == true)
    }
}
