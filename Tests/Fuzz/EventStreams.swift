import AWSProtocol
import CChecksums

extension FuzzTarget {
    /// Event streams: messages are the same in whatever pieces they come, and are written as they were read.
    static let eventStream = FuzzTarget(
        name: "event-stream",
        seeds: [
            message([("a", .string("b")), ("c", .bool(true)), ("d", .uuid(7))], [1, 2, 3]),
            message([(":event-type", .string("SubscribeToShardEvent"))], Array("{}".utf8)) + message([], []),
            message(
                [
                    ("1", .byte(-1)), ("2", .short(-2)), ("3", .integer(-3)), ("4", .long(-4)), ("5", .bytes([5])),
                    ("6", .timestamp(milliseconds: 6)),
                ],
                []
            ),
        ].map { [3] + $0 },
        words: []
    ) { bytes in
        // The first byte says how large the pieces are. Checksums are made good: nobody would find them by chance.
        guard let size = bytes.first, size > 0 else { return }
        let stream = mended(Array(bytes.dropFirst()))
        let whole = read([stream])
        let pieces = read(
            stride(from: 0, to: stream.count, by: Int(size)).map {
                Array(stream[$0..<min($0 + Int(size), stream.count)])
            }
        )
        require(whole.messages == pieces.messages && whole.error == pieces.error, "pieces change what is read")
        var written: [UInt8] = []
        for message in whole.messages {
            guard let headers = try? EventStreamHeaders(message.headers) else {
                fatalError("what was read can't be written")
            }
            EventStreamWriter.append(headers, to: &written) { $0 += message.payload }
        }
        require(stream.starts(with: written), "messages are written differently")
    }

    private static func message(_ headers: [(String, EventStreamValue)], _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        if let headers = try? EventStreamHeaders(headers.map { EventStreamMessage.Header($0.0, $0.1) }) {
            EventStreamWriter.append(headers, to: &bytes) { $0 += payload }
        }
        return bytes
    }

    private static func read(_ pieces: [[UInt8]]) -> (messages: [EventStreamMessage], error: EventStreamError?) {
        var (reader, messages) = (EventStreamReader(), [EventStreamMessage]())
        for piece in pieces {
            reader.append(piece)
            do throws(EventStreamError) {
                while let message = try reader.next() { messages.append(message) }
            } catch {
                return (messages, error)
            }
        }
        return (messages, nil)
    }

    /// The same bytes, the checksums of each message that fits in them put right.
    private static func mended(_ stream: [UInt8]) -> [UInt8] {
        var (stream, at) = (stream, 0)
        func number(_ offset: Int) -> Int { stream[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        func put(_ value: UInt32, _ offset: Int) {
            for index in 0..<4 { stream[offset + index] = UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32(index))) }
        }
        while stream.count - at >= 16 {
            put(crc(stream[at..<at + 8]), at + 8)
            let length = number(at)
            guard length >= 16, length <= stream.count - at else { break }
            put(crc(stream[at..<at + length - 4]), at + length - 4)
            at += length
        }
        return stream
    }

    private static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { millrace_crc32(0, $0.baseAddress, $0.count) }
    }
}
