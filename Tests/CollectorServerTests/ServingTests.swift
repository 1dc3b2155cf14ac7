import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CollectorServer

@Suite("serving")
struct ServingTests {
    /// Answers with the length of the body.
    private static let count: @Sendable (HTTPExchange) async -> HTTPAnswer = { .text(200, "\($0.body.count)") }

    private static func post(_ body: String, _ headers: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
    }

    @Test("the first bytes tell what is spoken", arguments: [0, 1, 2, 3, 10, 23])
    func choice(length: Int) {
        let preface = ProtocolChooser.preface
        #expect(ProtocolChooser.choice(preface.prefix(length)) == nil)
        #expect(ProtocolChooser.choice(preface) == .http2)
        #expect(ProtocolChooser.choice(preface.prefix(length) + [0x7F]) == .http1)
        #expect(ProtocolChooser.choice(preface + [1, 2, 3]) == .http2)
    }

    @Test("an HTTP/1.1 request is answered though it comes byte by byte")
    func slowly() async throws {
        try await withServer(respond: Self.count) { port in
            let client = try await TestClient.connect(port)
            for byte in Self.post("hello").utf8 { try await client.send([byte]) }
            try await eventually("no answer") { client.text.hasSuffix("\r\n\r\n5") }
            #expect(client.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test("requests that come at once are answered in order")
    func pipelined() async throws {
        try await withServer(respond: Self.count) { port in
            let client = try await TestClient.connect(port)
            try await client.send((1...50).map { Self.post(String(repeating: "x", count: $0)) }.joined())
            try await eventually("not all answers") { client.text.hasSuffix("\r\n\r\n50") }
            let bodies = client.text.split(separator: "\r\n").compactMap { Int($0.prefix { $0 != "H" }) }
            #expect(bodies == Array(1...50))
        }
    }

    @Test("a client that half-closes gets its answer, and then the end")
    func halfClosed() async throws {
        let gate = Gate()
        try await withServer(respond: { exchange in
            await gate.wait()
            return .text(200, "\(exchange.body.count)")
        }) { port in
            let client = try await TestClient.connect(port)
            try await client.send(Self.post("one") + Self.post("three"))
            try await client.halfClose()
            try await Task.sleep(for: .milliseconds(50))
            gate.open()
            try await eventually("no end") { client.isClosed }
            #expect(client.text.components("HTTP/1.1 200 OK") == 2)
            #expect(client.text.hasSuffix("5"))
        }
    }

    @Test("several requests at once on one HTTP/2 connection, answered as they are ready")
    func multiplexed() async throws {
        let gate = Gate()
        try await withServer(respond: { exchange in
            if exchange.body.count == 1 { await gate.wait() }
            return .text(200, "\(exchange.body.count)")
        }) { port in
            let connection = try await TestConnection.connect(port)
            var streams: [TestConnection.Stream] = []
            for count in 1...100 {
                let stream = try await connection.open()
                try await stream.begin(.POST, isWhole: false)
                try await stream.send(Array(repeating: 0, count: count)).get()
                try await stream.end()
                streams.append(stream)
            }
            let rest = streams.dropFirst()
            try await eventually("not all answers") { rest.allSatisfy { $0.isEnded } }
            #expect(rest.map(\.body) == (2...100).map(String.init))
            #expect(!streams[0].isEnded)
            gate.open()
            let first = streams[0]
            try await eventually("no first answer") { first.isEnded }
            try await connection.close()
        }
    }

    @Test("a body of 14 MiB comes through HTTP/2")
    func large() async throws {
        try await withServer(respond: Self.count) { port in
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.begin(.POST, isWhole: false)
            for _ in 0..<14 { try await stream.send(Array(repeating: 1, count: 1 << 20)).get() }
            try await stream.end()
            try await eventually("no answer") { stream.isEnded }
            #expect(stream.body == "\(14 << 20)")
        }
    }

    @Test("a body that is too large is refused on either protocol")
    func tooLarge() async throws {
        try await withServer(respond: Self.count) { port in
            let client = try await TestClient.connect(port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<17 {
                try await client.send("100000\r\n" + String(repeating: "x", count: 1 << 20) + "\r\n")
            }
            try await client.send("0\r\n\r\n")
            try await eventually("no answer") { client.text.hasPrefix("HTTP/1.1 413 ") }
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.begin(.POST, isWhole: false)
            for _ in 0..<17 { try await stream.send(Array(repeating: 1, count: 1 << 20)).get() }
            try await stream.end()
            try await eventually("no answer") { stream.isEnded }
            #expect(stream.head?.status == .payloadTooLarge)
        }
    }

    @Test("a stop waits for the requests under way and ends idle connections at once, on either protocol")
    func stop() async throws {
        let took = try await withServer(respond: { exchange in
            try? await Task.sleep(for: .milliseconds(300))
            return .text(200, "done")
        }) { port in
            let (idle, busy) = (try await TestClient.connect(port), try await TestClient.connect(port))
            try await idle.send(Self.post(""))
            let connection = try await TestConnection.connect(port)
            let first = try await connection.open()
            try await first.begin(.GET)
            try await eventually("no answers") { first.isEnded && idle.text.hasSuffix("done") }
            try await busy.send(Self.post(""))
            let second = try await connection.open()
            try await second.begin(.GET)
            try await Task.sleep(for: .milliseconds(50))
            Task {
                try await eventually("no answers at the stop") { second.isEnded && busy.text.hasSuffix("done") }
                #expect(second.body == "done")
            }
        }
        #expect(took < .seconds(5))
        #expect(took > .milliseconds(150))
    }

    @Test("connections that say nothing are ended, before and after they chose a protocol")
    func idle() async throws {
        var configuration = HTTPServer.Configuration(port: 0)
        configuration.times.idle = .milliseconds(200)
        try await withServer(configuration, respond: Self.count) { port in
            let (silent, done) = (try await TestClient.connect(port), try await TestClient.connect(port))
            try await done.send(Self.post("x"))
            let connection = try await TestConnection.connect(port)
            try await eventually("the connections live on") {
                silent.isClosed && done.isClosed && !connection.channel.isActive
            }
            #expect(done.text.hasSuffix("1"))
        }
    }

    @Test("a head that never comes to its end is ended, though its bytes never stop")
    func slowHead() async throws {
        var configuration = HTTPServer.Configuration(port: 0)
        configuration.times.arrival = .milliseconds(200)
        try await withServer(configuration, respond: Self.count) { port in
            let client = try await TestClient.connect(port)
            for _ in 1...3 {
                try await client.send(Self.post("x"))
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(client.text.components("HTTP/1.1 200 OK") == 3)
            try await client.send("POST / HTTP/1.1\r\n")
            let dribble = Task {
                while !client.isClosed {
                    try? await client.send("a: b\r\n")
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
            try await eventually("the connection lives on") { client.isClosed }
            dribble.cancel()
        }
    }

    @Test("a peer that is told GOAWAY and does nothing is ended, too")
    func deafPeer() async throws {
        var configuration = HTTPServer.Configuration(port: 0)
        configuration.times.idle = .milliseconds(100)
        configuration.times.stop = .milliseconds(300)
        try await withServer(configuration, respond: Self.count) { port in
            // The preface and empty settings, and never an answer to anything.
            let client = try await TestClient.connect(port)
            try await client.send(ProtocolChooser.preface + [0, 0, 0, 4, 0, 0, 0, 0, 0])
            try await eventually("the connection lives on") { client.isClosed }
        }
    }

    @Test("a request that takes too long to arrive is ended, on either protocol")
    func arrival() async throws {
        var configuration = HTTPServer.Configuration(port: 0)
        configuration.times.arrival = .milliseconds(200)
        try await withServer(configuration, respond: Self.count) { port in
            let client = try await TestClient.connect(port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.begin(.POST, isWhole: false)
            try await eventually("the requests live on") { client.isClosed && stream.isClosed }
            #expect(connection.channel.isActive)
        }
    }
}

/// Holds answers back until it is opened.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension String {
    /// How often a text is in it.
    func components(_ text: String) -> Int { split(separator: text, omittingEmptySubsequences: false).count - 1 }
}
