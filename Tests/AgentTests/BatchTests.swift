import Testing

@testable import Agent

@Suite("batches")
struct BatchTests {
    @Test("a batch ends at the limit of records, and goes on in the middle of a chunk")
    func records() {
        let lines = chunk(1, from: 10, ["a", "b", "c", "d", "e"])
        let limits = BatchLimits(records: 3, bytes: 1000)
        var first = Batch()
        #expect(first.append(lines, from: 0, within: limits) == 3)
        #expect(first.isFull)
        var second = Batch()
        #expect(second.append(lines, from: 3, within: limits) == 2)
        #expect(!second.isFull)
        #expect(ProducerHeader.text(second) == "0000000000000001:13+2")
    }

    @Test("a batch ends at the limit of bytes, keys included, and a record beyond it travels alone")
    func bytes() {
        let limits = BatchLimits(records: 100, bytes: 10, keyBytes: 2)
        var batch = Batch()
        #expect(batch.append(chunk(1, from: 0, ["aaa", "bbb", "ccc"]), from: 0, within: limits) == 2)
        #expect(batch.isFull)
        #expect(batch.dataBytes == 6)
        var big = Batch()
        #expect(big.append(chunk(1, from: 0, [String(repeating: "x", count: 50), "y"]), from: 0, within: limits) == 1)
    }

    @Test("a batch ends when its numbers have too many gaps for the header")
    func stretches() {
        var lines = chunk(1, from: 0, ["a", "b", "c", "d"])
        lines.numbering = .listed([1, 2, 9, 20])
        var batch = Batch()
        #expect(batch.append(lines, from: 0, within: BatchLimits(records: 100, bytes: 100, stretches: 2)) == 3)
        #expect(ProducerHeader.text(batch) == "0000000000000001:1+2;0000000000000001:9+1")
    }

    @Test("the header joins what follows on, and names each source")
    func header() {
        let mixed = batch(
            chunk(0xAB, from: 5, ["a", "b"]),
            chunk(0xAB, from: 7, ["c"]),
            chunk(0xCD, from: 0, ["d"]),
            chunk(0xAB, from: 8, ["e"])
        )
        #expect(
            ProducerHeader.text(mixed) == "00000000000000ab:5+3;00000000000000cd:0+1;00000000000000ab:8+1"
        )
        #expect(
            ProducerHeader.text(mixed, only: [0, 2, 3])
                == "00000000000000ab:5+1;00000000000000ab:7+1;00000000000000cd:0+1"
        )
    }

    @Test("what a request may carry depends on who answers")
    func plans() {
        let flow = testFlow()
        #expect(BatchPlan(flow, .aws, 4 << 20).limits.records == 500)
        #expect(BatchPlan(flow, .millrace(maxRecords: 20_000), 4 << 20).limits.records == 10_000)
        #expect(BatchPlan(flow, .millrace(maxRecords: 100), 4 << 20).limits.records == 500)
        var small = flow
        small.maxBufferRecords = 20
        #expect(BatchPlan(small, .millrace(maxRecords: 20_000), 4 << 20).limits.records == 20)
        #expect(BatchPlan(flow, .aws, 4 << 20).keys == .perRecord)
        #expect(BatchPlan(flow, .millrace(maxRecords: 500), 4 << 20).keys == .perStretch)
        #expect(BatchPlan(testFlow(.deliveryStream("d")), .aws, 4 << 20).keys == .none)
    }
}

@Suite("requests")
struct RequestEncoderTests {
    @Test("a request is the JSON that PutRecords takes, whatever the sizes of its records")
    func body() throws {
        let texts = ["", "a", "ab", "abc", "abcd\n", "\"quotes\" and \u{1F600}\n", String(repeating: "z", count: 1000)]
        var body: [UInt8] = [1, 2, 3]
        let encoder = RequestEncoder(destination: .stream("my-stream"), keys: .perRecord)
        let batch = batch(chunk(1, from: 0, texts), chunk(2, from: 0, ["other"]))
        encoder.encode(batch, into: &body)
        #expect(String(decoding: body, as: UTF8.self).hasPrefix(#"{"StreamName":"my-stream","Records":[{"Data":"","#))
        let sent = try records(of: body)
        #expect(sent.map(\.data) == texts + ["other"])
        #expect(Set(sent.map(\.key)).count == 8)
        // The buffer is used again, for less.
        encoder.encode(batch, only: [1, 7], into: &body)
        #expect(try records(of: body).map(\.data) == ["a", "other"])
    }

    @Test("delivery streams get no partition keys")
    func firehose() throws {
        var body: [UInt8] = []
        RequestEncoder(destination: .deliveryStream("d"), keys: .none).encode(
            batch(chunk(1, from: 0, ["a"])),
            into: &body
        )
        #expect(String(decoding: body, as: UTF8.self) == #"{"DeliveryStreamName":"d","Records":[{"Data":"YQ=="}]}"#)
    }

    @Test("a deterministic key is the MD5 of the record alone")
    func content() throws {
        var body: [UInt8] = []
        RequestEncoder(destination: .stream("s"), keys: .content)
            .encode(batch(chunk(1, from: 0, ["abc", "", "abc"])), into: &body)
        #expect(
            try records(of: body).map(\.key) == [
                "900150983cd24fb0d6963f7d28e17f72", "d41d8cd98f00b204e9800998ecf8427e",
                "900150983cd24fb0d6963f7d28e17f72",
            ]
        )
    }

    @Test("towards a collector a key depends on source and number only, however the records are batched")
    func purity() throws {
        let texts = (0..<300).map { "line \($0)" }
        let encoder = RequestEncoder(destination: .stream("s"), keys: .perStretch)
        func keys(_ first: Int64, _ texts: [String]) throws -> [String?] {
            var body: [UInt8] = []
            encoder.encode(batch(chunk(9, from: first, texts)), into: &body)
            return try records(of: body).map(\.key)
        }
        let whole = try keys(4000, texts)
        let split = try keys(4000, Array(texts[..<37])) + keys(4037, Array(texts[37...]))
        #expect(whole == split)
        #expect(Set(whole).count == 2)
        #expect(whole[95] != whole[96], "the key changes at number 4096")
        #expect(PartitionKeys.mix(1, 2) == PartitionKeys.mix(1, 2))
        #expect(PartitionKeys.mix(1, 2) != PartitionKeys.mix(2, 1))
    }
}

@Suite("answers")
struct PutAnswerTests {
    @Test("an answer without failures is not parsed, wherever its count stands")
    func fine() throws {
        let long = String(repeating: #"{"SequenceNumber":"1","ShardId":"s"},"#, count: 50)
        for text in [
            #"{"Records":[\#(long)],"FailedRecordCount":0}"#, #"{"FailedRecordCount":0,"Records":[\#(long)"#,
            #"{"FailedPutCount":0,"RequestResponses":[]}"#, #"{"FailedPutCount": 0 , "x":1}"#,
        ] {
            #expect(try PutAnswer.failures(Array(text.utf8), count: 50).isEmpty)
        }
    }

    @Test("failures are found with their codes")
    func failures() throws {
        let text = #"""
            {"FailedRecordCount":1,"Records":[{"SequenceNumber":"1","ShardId":"a"},
            {"ErrorCode":"InternalFailure","ErrorMessage":"\"FailedRecordCount\":0"}]}
            """#
        let found = try PutAnswer.failures(Array(text.utf8), count: 2)
        #expect(found == [RecordFailure(index: 1, code: "InternalFailure", message: "\"FailedRecordCount\":0")])
        #expect(throws: PublishError.self) { try PutAnswer.failures(Array(text.utf8), count: 3) }
        #expect(throws: PublishError.self) { try PutAnswer.failures(Array("<html>".utf8), count: 1) }
    }
}

@Suite("trouble")
struct TroubleTests {
    @Test("pauses double up to the longest, vary by 30 %, and start small after a success")
    func backoff() {
        var backoff = Backoff(initial: .milliseconds(100), longest: .seconds(10))
        let middle = (0..<9).map { _ in backoff.failed(random: 0.5).seconds }
        for (pause, expected) in zip(middle, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]) {
            #expect(abs(pause - expected) < 1e-9)
        }
        for _ in 0..<1000 { #expect(abs(backoff.failed(random: 0).seconds - 7) < 1e-9) }
        #expect(abs(backoff.failed(random: 1).seconds - 13) < 1e-9)
        backoff.succeeded()
        #expect(abs(backoff.failed(random: 0.5).seconds - 0.1) < 1e-9)
    }

    @Test("an outage gives one line at once, one per period, and one at its end")
    func log() {
        var log = TroubleLog(period: .seconds(30))
        let second: Int64 = 1_000_000_000
        #expect(log.succeeded(now: 0) == nil)
        #expect(log.failed("down", now: 0)?.hasPrefix("down; it is tried again") == true)
        #expect(log.failed("down", now: 10 * second) == nil)
        #expect(log.failed("down", now: 31 * second) == "still failing after 31 s and 3 tries: down")
        #expect(log.failed("down", now: 40 * second) == nil)
        #expect(log.succeeded(now: 50 * second) == "works again after 50 s and 4 failed tries")
        #expect(log.failed("down", now: 60 * second) != nil)
    }

    @Test("the watchdog sees a reader that hangs and a request that never ends")
    func watchdog() {
        let meters = FlowMeters()
        meters.update { $0.readerSeen = 0 }
        #expect(meters.isAlive(at: 1_000_000_000))
        #expect(!meters.isAlive(at: 21_000_000_000))
        meters.update { values in
            values.readerSeen = 100_000_000_000
            values.sending = .requesting(since: 1_000_000_000)
        }
        #expect(!meters.isAlive(at: 100_000_000_000))
        meters.update { $0.sending = .backingOff }
        #expect(meters.isAlive(at: 100_000_000_000))
    }
}
