import CChecksums
import ShardLog
import Testing

@testable import RecordBatch

@Suite("frames")
struct FrameTests {
    private typealias Record = (key: [UInt8], value: [UInt8])

    private func run(_ records: [Record], producers: [ProducerRange] = []) -> RecordRun {
        var run = RecordRun(producerCapacity: producers.count, reserving: 64)
        for record in records {
            record.key.withUnsafeBytes { key in
                record.value.withUnsafeBytes { value in run.append(key: key, value: value) }
            }
        }
        run.producers = producers
        return run
    }

    private func seal(_ runs: [RecordRun]) -> [UInt8] { [UInt8](sealed(runs)) }

    private func sealed(_ runs: [RecordRun]) -> FrameBytes {
        FrameEncoder.seal(
            runs,
            shard: 0,
            baseOffset: 1000,
            arrivalMilliseconds: 1_795_000_000_123,
            epoch: 7,
            source: .kinesis
        )
    }

    private func read(_ frame: [UInt8], from index: Int = 0) throws -> [Record] {
        try frame.withUnsafeBytes { bytes in
            var records: [Record] = []
            try FrameView(validating: bytes).forEachRecord(from: index) { _, key, value in
                records.append((Array(key), Array(value)))
                return true
            }
            return records
        }
    }

    private let records: [Record] = [
        (Array("k".utf8), Array("value".utf8)), ([], []), (Array("ü".utf8), Array(repeating: 7, count: 5000)),
    ]

    private func isEqual(_ one: [Record], _ other: [Record]) -> Bool {
        one.count == other.count && zip(one, other).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    }

    @Test("a plain run that nobody else has is sealed where it stands")
    func inPlace() {
        // Where `fill` wrote a value, and where the frame has it.
        var written: UnsafeRawPointer?
        var run = RecordRun(reserving: 100_000)
        run.append(key: UnsafeRawBufferPointer(start: nil, count: 0), valueCount: 50_000) { value in
            value.initializeMemory(as: UInt8.self, repeating: 7)
            written = UnsafeRawPointer(value.baseAddress)
        }
        sealed([run]).withUnsafeBytes { bytes in
            #expect(written.map { $0 - bytes.baseAddress! } == bytes.count - 50_000 - 1)
        }
    }

    @Test("give back what was put in, from any record on")
    func roundTrip() throws {
        let frame = seal([run(records)])
        #expect(isEqual(try read(frame), records))
        #expect(isEqual(try read(frame, from: 2), Array(records[2...])))
        try frame.withUnsafeBytes { bytes in
            let view = try FrameView(validating: bytes)
            #expect(view.baseOffset == 1000 && view.lastOffsetDelta == 2 && view.recordCount == 3)
            #expect(view.arrivalMilliseconds == 1_795_000_000_123 && view.header.userBytes == 1 + 5 + 2 + 5000)
        }
    }

    @Test("a record takes as many bytes as was said, in a run that was made for it and in one that was not")
    func sizes() throws {
        let records = (0..<300).map { number -> Record in
            (Array(repeating: 7, count: number % 130), Array(repeating: UInt8(number & 255), count: number * 37))
        }
        var bytes = 0
        for (index, record) in records.enumerated() {
            bytes += RecordRun.size(index: index, keyCount: record.key.count, valueCount: record.value.count)
        }
        for reserved in [bytes, 1] {
            var run = RecordRun(reserving: reserved)
            for record in records {
                record.key.withUnsafeBytes { key in
                    record.value.withUnsafeBytes { value in run.append(key: key, value: value) }
                }
            }
            #expect(run.byteCount == bytes)
            #expect(isEqual(try read(seal([run])), records))
        }
    }

    @Test("a record whose value can't be written was never there")
    func refusedValue() throws {
        struct Refusal: Error {}
        var run = run(records)
        let before = (run.count, run.byteCount, run.userBytes)
        #expect(throws: Refusal.self) {
            try run.append(key: UnsafeRawBufferPointer(start: nil, count: 0), valueCount: 9000) { value in
                value.initializeMemory(as: UInt8.self, repeating: 9)
                throw Refusal()
            }
        }
        #expect((run.count, run.byteCount, run.userBytes) == before)
        #expect(isEqual(try read(seal([run])), records))
    }

    @Test("hold a Kafka v2 batch, byte for byte")
    func golden() throws {
        let frame = seal([run([(Array("k".utf8), Array("v".utf8))])])
        let batch = Array(frame[64...])
        // offset 1000 | length | epoch 7 | magic 2 | crc | LogAppendTime | delta 0 | times | no producer | one record
        var expected: [UInt8] = [0, 0, 0, 0, 0, 0, 3, 0xE8, 0, 0, 0, 58, 0, 0, 0, 7, 2]
        expected += batch[17..<21]
        expected += [0, 8, 0, 0, 0, 0]
        let time: [UInt8] = (0..<8).map { UInt8(truncatingIfNeeded: Int64(1_795_000_000_123) >> (56 - 8 * $0)) }
        expected += time + time + [UInt8](repeating: 0xFF, count: 14) + [0, 0, 0, 1]
        expected += [16, 0, 0, 0, 2, UInt8(ascii: "k"), 2, UInt8(ascii: "v"), 0]
        #expect(batch == expected)
        #expect(
            batch[17..<21].elementsEqual(
                withUnsafeBytes(of: millrace_crc32c_software(0, Array(batch[21...]), batch.count - 21).bigEndian) {
                    Array($0)
                }
            )
        )
    }

    @Test("merged of several runs equal the frame of one run with all their records")
    func merge() throws {
        let all = (0..<300).map { (key: Array("k\($0)".utf8), value: [UInt8](repeating: UInt8($0 & 255), count: $0)) }
        let parts = [run(Array(all[..<1])), run(Array(all[1..<200])), run(Array(all[200...]))]
        #expect(seal(parts) == seal([run(all)]))
    }

    @Test("carry what producers numbered, empty entries left out")
    func producers() throws {
        let ranges = [ProducerRange(producer: 9, first: 1, last: 5), ProducerRange(producer: 8, first: 1, last: 0)]
        let frame = seal([run(records, producers: ranges)])
        let found = try frame.withUnsafeBytes { try FrameView(validating: $0).producers }
        #expect(found == [ranges[0]])
        #expect(isEqual(try read(frame), records))
    }

    @Test("a record whose value can't be written was never there")
    func rollback() throws {
        struct Failure: Error {}
        var run = run(records)
        #expect(throws: Failure.self) {
            let key = [UInt8](repeating: 1, count: 3)
            try key.withUnsafeBytes { (key: UnsafeRawBufferPointer) throws in
                try run.append(key: key, valueCount: 100) { (_) throws(Failure) in throw Failure() }
            }
        }
        #expect(seal([run]) == seal([self.run(records)]))
    }

    @Test("with any bit flipped are refused, and cut short anywhere too")
    func damage() throws {
        let frame = seal([run(records.dropLast(), producers: [ProducerRange(producer: 1, first: 0, last: 1)])])
        for bit in 0..<frame.count * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << (bit % 8)
            damaged.withUnsafeBytes { bytes in
                _ = #expect(throws: FrameError.self, "bit \(bit)") { try FrameView(validating: bytes) }
            }
        }
        for count in 0..<frame.count {
            Array(frame.prefix(count)).withUnsafeBytes { bytes in
                _ = #expect(throws: FrameError.self) { try FrameView(validating: bytes) }
            }
        }
    }
}

@Suite("checksums and codecs")
struct ChecksumTests {
    @Test("CRC-32C has the published value, and the processor's own agrees with the portable one at every length")
    func crc() {
        #expect(millrace_crc32c(0, Array("123456789".utf8), 9) == 0xE306_9283)
        let bytes = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 5) }
        for count in Array(0...300) + [3071, 3072, 3073, 6200, 8192] {
            for start in 0..<min(8, bytes.count - count + 1) {
                let slice = Array(bytes[start..<start + count])
                #expect(millrace_crc32c(5, slice, count) == millrace_crc32c_software(5, slice, count))
            }
        }
    }

    @Test(
        "MD5 has the published values",
        arguments: [
            ("", "d41d8cd98f00b204e9800998ecf8427e"), ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a"
            ),
        ]
    )
    func md5(text: String, digest: String) {
        var out = [UInt8](repeating: 0, count: 16)
        millrace_md5(text, text.utf8.count, &out)
        #expect(out.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == digest)
    }

    @Test("base64 comes back the same at every length, and stays within its buffer")
    func base64() {
        for count in 0..<400 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ count) }
            var text = [UInt8](repeating: 0, count: (count + 2) / 3 * 4)
            #expect(millrace_base64_encode(bytes, count, &text) == text.count)
            var back = [UInt8](repeating: 0xEE, count: text.count / 4 * 3 + 1)
            #expect(millrace_base64_decode(text, text.count, &back) == count)
            #expect(back.prefix(count).elementsEqual(bytes) && back.last == 0xEE)
        }
    }

    @Test(
        "malformed base64 is refused at its first wrong character",
        arguments: [
            ("YQ", -3), ("YQ=a", -3), ("Y===", -2), ("YR==", -2), ("YW E", -3), ("YQ==YQ==", -3), ("====", -1),
            ("YWF-", -4),
        ]
    )
    func malformed(text: String, result: Int) {
        var out = [UInt8](repeating: 0, count: 64)
        #expect(millrace_base64_decode(text, text.utf8.count, &out) == result)
    }

    @Test("a wrong character far behind is found where it stands")
    func late() {
        for at in 0..<200 {
            var text = [UInt8](repeating: UInt8(ascii: "A"), count: 200)
            text[at] = UInt8(ascii: "*")
            var out = [UInt8](repeating: 0, count: 151)
            #expect(millrace_base64_decode(text, 200, &out) == -at - 1)
        }
    }
}
