import NIOCore
import NIOHTTP1
import Testing

@testable import CollectorServer

@Suite("room for bodies")
struct RoomTests {
    /// A server with room for one body of 4 MiB and no more, and a spare that is a whole body.
    private static func configuration(patience: TimeAmount) -> HTTPServer.Configuration {
        var configuration = HTTPServer.Configuration(port: 0, bodyBudget: 4 << 20)
        configuration.times.room = patience
        return configuration
    }

    private static let count: @Sendable (HTTPExchange) async -> HTTPAnswer = { .text(200, "\($0.body.count)") }
    private static let piece = Array(repeating: UInt8(1), count: 1 << 20)
    private static let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(12 << 20)\r\n\r\n"

    /// Takes all the room, with two bodies that do not come to their end.
    private static func fill(_ port: Int) async throws -> [TestClient] {
        let clients = [try await TestClient.connect(port), try await TestClient.connect(port)]
        for client in clients {
            try await client.send(head)
            for _ in 0..<11 { client.channel.writeAndFlush(ByteBuffer(bytes: piece), promise: nil) }
        }
        return clients
    }

    @Test("many large bodies at once all get through, though there is room for one")
    func all() async throws {
        try await withServer(Self.configuration(patience: .seconds(120)), respond: Self.count) { port in
            try await withThrowingTaskGroup(of: String.self) { group in
                for index in 0..<6 {
                    group.addTask {
                        if index % 2 == 0 {
                            let client = try await TestClient.connect(port)
                            try await client.send(Self.head)
                            for _ in 0..<12 { try await client.send(Self.piece) }
                            try await eventually("no answer") { client.text.hasSuffix("\(12 << 20)") }
                            return client.text
                        }
                        let stream = try await TestConnection.connect(port).open()
                        try await stream.begin(.POST, isWhole: false)
                        for _ in 0..<12 { try await stream.send(Self.piece).get() }
                        try await stream.end()
                        try await eventually("no answer") { stream.isEnded }
                        #expect(stream.head?.status == .ok)
                        return stream.body
                    }
                }
                for try await answer in group { #expect(answer.hasSuffix("\(12 << 20)")) }
            }
        }
    }

    @Test("a body that finds no room waits, and is refused in the end, on either protocol")
    func patience() async throws {
        try await withServer(Self.configuration(patience: .milliseconds(500)), respond: Self.count) { port in
            let holders = try await Self.fill(port)
            try await Task.sleep(for: .milliseconds(200))
            let client = try await TestClient.connect(port)
            try await client.send(Self.head)
            let stream = try await TestConnection.connect(port).open()
            try await stream.begin(.POST, isWhole: false)
            let start = ContinuousClock.now
            for _ in 0..<12 {
                client.channel.writeAndFlush(ByteBuffer(bytes: Self.piece), promise: nil)
                _ = stream.send(Self.piece)
            }
            try await stream.end()
            // A small one never waits.
            let small = try await TestClient.connect(port)
            try await small.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            try await eventually("the small one waits") { small.text.hasSuffix("2") }
            try await eventually("no refusal") {
                client.text.hasPrefix("HTTP/1.1 503 ") && stream.head?.status == .serviceUnavailable
            }
            #expect(ContinuousClock.now - start > .milliseconds(400))
            for holder in holders { try await holder.close() }
        }
    }

    @Test("whoever hangs up gives its room back")
    func hangUp() async throws {
        try await withServer(Self.configuration(patience: .seconds(30)), respond: Self.count) { port in
            let holders = try await Self.fill(port)
            try await Task.sleep(for: .milliseconds(200))
            let client = try await TestClient.connect(port)
            try await client.send(Self.head)
            for _ in 0..<12 { client.channel.writeAndFlush(ByteBuffer(bytes: Self.piece), promise: nil) }
            try await Task.sleep(for: .milliseconds(200))
            #expect(client.count == 0)
            for holder in holders { try await holder.close() }
            try await eventually("no answer") { client.text.hasSuffix("\(12 << 20)") }
        }
    }
}
