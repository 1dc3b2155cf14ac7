import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CollectorServer

@Suite("feeds")
struct FeedTests {
    private static let get = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    @Test("HTTP/1.1 sends a feed in chunks as they come, and the connection lives on")
    func chunked() async throws {
        let feed = TestFeed()
        try await withServer(respond: { _ in .feed(feed.feed) }) { port in
            let client = try await TestClient.connect(port)
            try await client.send(Self.get)
            try await eventually("no head") { client.text.hasSuffix("\r\n\r\n") }
            #expect(client.text.lowercased().contains("transfer-encoding: chunked"))
            #expect(client.text.contains("content-type: application/vnd.amazon.eventstream"))
            feed.put("one")
            try await eventually("no first chunk") { client.text.hasSuffix("3\r\none\r\n") }
            feed.put("")
            feed.put("three")
            try await eventually("no second chunk") { client.text.hasSuffix("5\r\nthree\r\n") }
            #expect(feed.ends == 0)
            feed.put(nil)
            try await eventually("no end") { client.text.hasSuffix("0\r\n\r\n") }
            #expect(feed.ends == 1)
            #expect(!client.isClosed)
        }
        #expect(feed.ends == 1)
    }

    @Test("HTTP/2 sends a feed as it comes, beside other requests")
    func streamed() async throws {
        let feed = TestFeed()
        try await withServer(respond: { $0.method == "POST" ? .feed(feed.feed) : .text(200, "page") }) { port in
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.begin(.POST)
            try await eventually("no head") { stream.head != nil }
            feed.put("one")
            try await eventually("no first chunk") { stream.body == "one" }
            let other = try await connection.open()
            try await other.begin(.GET)
            try await eventually("no other answer") { other.isEnded }
            feed.put("two")
            feed.put(nil)
            try await eventually("no end") { stream.isEnded }
            #expect(stream.body == "onetwo")
            #expect(feed.ends == 1)
        }
    }

    @Test("a client that goes away ends an idle feed at once, on either protocol")
    func goneAway() async throws {
        let (hungUp, halfClosed, reset, torn) = (TestFeed(), TestFeed(), TestFeed(), TestFeed())
        try await withServer(respond: { exchange in
            switch exchange.header("which") {
            case "hung-up": .feed(hungUp.feed)
            case "half-closed": .feed(halfClosed.feed)
            case "reset": .feed(reset.feed)
            default: .feed(torn.feed)
            }
        }) { port in
            let first = try await TestClient.connect(port)
            try await first.send("POST / HTTP/1.1\r\nHost: x\r\nwhich: hung-up\r\nContent-Length: 0\r\n\r\n")
            let second = try await TestClient.connect(port)
            try await second.send("POST / HTTP/1.1\r\nHost: x\r\nwhich: half-closed\r\nContent-Length: 0\r\n\r\n")
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.begin(.POST, headers: ["which": "reset"])
            let other = try await connection.open()
            try await other.begin(.POST, headers: ["which": "torn"])
            try await eventually("the feeds do not begin") {
                hungUp.asked == 1 && halfClosed.asked == 1 && reset.asked == 1 && torn.asked == 1
            }
            try await first.close()
            try await second.halfClose()
            await stream.reset()
            try await eventually("the feeds live on") { hungUp.ends == 1 && halfClosed.ends == 1 && reset.ends == 1 }
            #expect(torn.ends == 0)
            try await connection.close()
            try await eventually("the last feed lives on") { torn.ends == 1 }
        }
        #expect(hungUp.ends + halfClosed.ends + reset.ends + torn.ends == 4)
    }

    @Test("a feed whose client went before it began is ended too")
    func tooLate() async throws {
        let (feed, gate) = (TestFeed(), Gate())
        try await withServer(respond: { _ in
            await gate.wait()
            return .feed(feed.feed)
        }) { port in
            let client = try await TestClient.connect(port)
            try await client.send(Self.get)
            try await Task.sleep(for: .milliseconds(50))
            try await client.close()
            try await Task.sleep(for: .milliseconds(50))
            gate.open()
            try await eventually("the feed lives on") { feed.ends == 1 }
        }
    }

    @Test("the next chunk is asked for only when the client took the last ones")
    func backpressure() async throws {
        let feeds = [TestFeed(), TestFeed()]
        try await withServer(respond: { .feed(feeds[$0.header("feed") == "1" ? 1 : 0].feed) }) { port in
            let client = try await TestClient.connect(port)
            try await client.channel.setOption(.autoRead, value: false).get()
            try await client.send(Self.get)
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.channel.setOption(.autoRead, value: false).get()
            try await stream.begin(.POST, headers: ["feed": "1"])
            let chunk = Array(repeating: UInt8(1), count: 1 << 20)
            for feed in feeds { for _ in 0..<64 { feed.put(chunk) } }
            try await Task.sleep(for: .milliseconds(500))
            #expect(feeds[0].asked < 32)
            #expect(feeds[1].asked < 8)
            try await client.channel.setOption(.autoRead, value: true).get()
            client.channel.read()
            try await stream.channel.setOption(.autoRead, value: true).get()
            stream.channel.read()
            try await eventually("not all chunks came") { feeds.allSatisfy { $0.asked == 65 } }
        }
    }

    @Test("a running feed is not idle, and a client that takes nothing is given up")
    func idle() async throws {
        let (quiet, stuck) = (TestFeed(), TestFeed())
        var configuration = HTTPServer.Configuration(port: 0)
        configuration.times.idle = .milliseconds(300)
        try await withServer(configuration, respond: { .feed($0.header("stuck") == nil ? quiet.feed : stuck.feed) }) {
            port in
            let client = try await TestClient.connect(port)
            try await client.send(Self.get)
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.channel.setOption(.autoRead, value: false).get()
            try await stream.begin(.POST, headers: ["stuck": "1"])
            for _ in 0..<16 { stuck.put(Array(repeating: 1, count: 1 << 20)) }
            try await eventually("the stuck feed lives on") { stuck.ends == 1 }
            try await Task.sleep(for: .milliseconds(600))
            #expect(quiet.ends == 0)
            quiet.put("late")
            try await eventually("the chunk does not come") { client.text.contains("late") }
        }
    }

    @Test("a silent feed's heartbeats come between its chunks, none when it has none to give, on either protocol")
    func heartbeats() async throws {
        let feeds = [TestFeed(), TestFeed()]
        let isAlive = Mutex(true)
        let beat: @Sendable () -> [UInt8]? = { isAlive.withLock { $0 } ? Array("<beat>".utf8) : nil }
        try await withServer(respond: {
            .feed(feeds[$0.header("feed") == "1" ? 1 : 0].beating(every: .milliseconds(40), beat))
        }) { port in
            let client = try await TestClient.connect(port)
            try await client.send(Self.get)
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.begin(.POST, headers: ["feed": "1"])
            let texts: [@Sendable () -> String] = [{ client.text }, { stream.body }]
            for feed in feeds { feed.put("one") }
            for text in texts {
                try await eventually("no heartbeat behind the first chunk") {
                    text().components("<beat>").last?.contains("one") == false && text().contains("one")
                }
            }
            #expect(feeds.map(\.asked) == [2, 2], "a heartbeat asks for nothing")
            isAlive.withLock { $0 = false }
            // What is under way arrives.
            try await Task.sleep(for: .milliseconds(500))
            let silent = texts.map { $0() }
            try await Task.sleep(for: .milliseconds(200))
            #expect(texts.map { $0() } == silent)
            isAlive.withLock { $0 = true }
            for feed in feeds { feed.put("two") }
            for text in texts {
                try await eventually("no heartbeat behind the second chunk") {
                    text().components("two").last?.contains("<beat>") == true && text().contains("two")
                }
            }
            for feed in feeds { feed.put(nil) }
            try await eventually("no end") { client.text.hasSuffix("0\r\n\r\n") && stream.isEnded }
            let ended = client.text.count
            try await Task.sleep(for: .milliseconds(150))
            #expect(client.text.count == ended)
        }
    }

    @Test("heartbeats come in time, and a busy feed has none")
    func heartbeatTime() async throws {
        let (silent, busy) = (TestFeed(), TestFeed())
        let times = Mutex<[ContinuousClock.Instant]>([])
        let lastPut = Mutex(ContinuousClock.now)
        try await withServer(respond: { exchange in
            exchange.header("busy") == nil
                ? .feed(
                    silent.beating(every: .milliseconds(200)) {
                        times.withLock { $0.append(.now) }
                        return Array("beat".utf8)
                    }
                )
                : .feed(
                    busy.beating(every: .milliseconds(500)) {
                        #expect(lastPut.withLock { $0 }.duration(to: .now) >= .milliseconds(499))
                        return Array("beat".utf8)
                    }
                )
        }) { port in
            let client = try await TestClient.connect(port)
            try await client.send(Self.get)
            let other = try await TestClient.connect(port)
            try await other.send("POST / HTTP/1.1\r\nHost: x\r\nbusy: 1\r\nContent-Length: 0\r\n\r\n")
            for _ in 0..<60 {
                lastPut.withLock { $0 = .now }
                busy.put("chunk")
                try await Task.sleep(for: .milliseconds(20))
            }
            try await eventually("no heartbeats") { times.withLock { $0.count } >= 6 }
            let gaps = times.withLock { zip($0, $0.dropFirst()).map { $0.duration(to: $1) } }.sorted()
            #expect(gaps[0] >= .milliseconds(199))
            #expect(gaps[gaps.count / 2] < .milliseconds(300), "a tenth late at most, but for a busy machine")
        }
    }

    @Test("a client that takes nothing gets no pile of heartbeats, and is given up")
    func stuckHeartbeats() async throws {
        let feed = TestFeed()
        let beats = Mutex(0)
        var configuration = HTTPServer.Configuration(port: 0)
        configuration.times.idle = .milliseconds(500)
        let piece = [UInt8](repeating: 1, count: 4 << 20)
        try await withServer(
            configuration,
            respond: { _ in
                .feed(
                    feed.beating(every: .milliseconds(20)) {
                        beats.withLock { $0 += 1 }
                        return piece
                    }
                )
            }
        ) { port in
            let client = try await TestClient.connect(port)
            try await client.channel.setOption(.autoRead, value: false).get()
            try await client.send(Self.get)
            try await eventually("the stuck feed lives on") { feed.ends == 1 }
            #expect((1..<8).contains(beats.withLock { $0 }))
        }
    }

    @Test("a stop ends feeds cleanly and at once, on either protocol")
    func stop() async throws {
        let feeds = [TestFeed(), TestFeed()]
        let end = Mutex<Task<Void, any Error>?>(nil)
        let took = try await withServer(respond: { .feed(feeds[$0.header("feed") == "1" ? 1 : 0].feed) }) { port in
            let client = try await TestClient.connect(port)
            try await client.send(Self.get)
            let connection = try await TestConnection.connect(port)
            let stream = try await connection.open()
            try await stream.begin(.POST, headers: ["feed": "1"])
            try await eventually("the feeds do not begin") { feeds.allSatisfy { $0.asked == 1 } }
            end.withLock { end in
                end = Task {
                    try await eventually("no end") {
                        client.text.hasSuffix("0\r\n\r\n") && stream.isEnded && client.isClosed
                    }
                }
            }
        }
        try await end.withLock { $0 }?.value
        #expect(took < .seconds(3))
        #expect(feeds.map(\.ends) == [1, 1])
    }
}

extension String {
    /// The parts between occurrences of `separator`.
    fileprivate func components(_ separator: String) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}
