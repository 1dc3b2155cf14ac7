import Glibc
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CollectorServer

@Suite("idle feeds", .serialized)
struct IdleFeedTests {
    /// Resident memory of this process in bytes, and the processor time it took so far.
    private static func usage() throws -> (memory: Int, time: Duration) {
        let file = try #require(fopen("/proc/self/statm", "r"))
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        _ = fgets(&line, 256, file)
        let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(
            separator: " "
        )
        let pages = try #require(fields.count > 1 ? Int(fields[1]) : nil)
        var used = rusage()
        getrusage(RUSAGE_SELF.rawValue, &used)
        let seconds = used.ru_utime.tv_sec + used.ru_stime.tv_sec
        let micros = used.ru_utime.tv_usec + used.ru_stime.tv_usec
        return (pages * 4096, .seconds(seconds) + .microseconds(Int64(micros)))
    }

    /// A connection as the system knows it, so that the clients weigh nothing.
    private static func connect(_ port: Int, sending text: String) throws -> Int32 {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(connected == 0)
        let bytes = Array(text.utf8)
        try #require(send(socket, bytes, bytes.count, 0) == bytes.count)
        return socket
    }

    @Test("a thousand silent ones cost less than 50 MiB and no processor time", arguments: ["HTTP/1.1", "HTTP/2"])
    func cost(protocolName: String) async throws {
        let feeds = (0..<1000).map { _ in TestFeed() }
        let next = Mutex(0)
        try await withServer(respond: { _ in
            .feed(
                feeds[
                    next.withLock { index in
                        index += 1
                        return index - 1
                    }
                ].feed
            )
        }) { port in
            let before = try Self.usage().memory
            var sockets: [Int32] = []
            var connection: TestConnection?
            var streams: [TestConnection.Stream] = []
            // Some headers, as a signed request has them.
            let text =
                "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: \(String(repeating: "a", count: 600))\r\nContent-Length: 0\r\n\r\n"
            if protocolName == "HTTP/1.1" {
                for _ in feeds { sockets.append(try Self.connect(port, sending: text)) }
            } else {
                let opened = try await TestConnection.connect(port)
                connection = opened
                for _ in feeds {
                    let stream = try await opened.open()
                    try await stream.begin(.POST, headers: ["authorization": String(repeating: "a", count: 600)])
                    streams.append(stream)
                }
            }
            try await eventually("the feeds do not begin") { feeds.allSatisfy { $0.asked == 1 } }
            try await Task.sleep(for: .milliseconds(200))
            let idle = try Self.usage()
            try await Task.sleep(for: .seconds(2))
            let after = try Self.usage()
            let cost = after.memory - before
            print(
                "\(protocolName): \(feeds.count) idle feeds cost \(cost >> 10) KiB and \(after.time - idle.time) in 2 s"
            )
            #expect(cost < 50 << 20)
            #expect(after.time - idle.time < .milliseconds(100))
            for socket in sockets { close(socket) }
            try await connection?.close()
            try await eventually("the feeds live on") { feeds.allSatisfy { $0.ends == 1 } }
        }
    }
}
