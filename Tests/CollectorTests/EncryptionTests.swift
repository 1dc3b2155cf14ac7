import AWSProtocol
import Foundation
import RecordBatch
import ShardLog
import StateStore
import StreamKeys
import Testing

@testable import Collector

/// A folder of keys of a test's own.
private final class Keys: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-" + UUID().uuidString).path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    var source: KeySource { .kept(path: path) }

    func put(_ name: String, _ byte: UInt8) throws {
        try Data(repeating: byte, count: 32).write(to: URL(fileURLWithPath: path + "/" + name))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path + "/" + name)
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path + "/" + name) }
}

extension Service {
    fileprivate func encrypt(_ key: String, stream: String = "s") async throws {
        try await call(
            "StartStreamEncryption",
            #"{"StreamName":"\#(stream)","EncryptionType":"KMS","KeyId":"\#(key)"}"#
        )
    }

    fileprivate func stopEncryption() async throws {
        try await call("StopStreamEncryption", #"{"StreamName":"s","EncryptionType":"KMS","KeyId":"alias/a"}"#)
    }

    /// The stored bytes of a stream's shard.
    fileprivate func stored(shard: UInt32 = 0) async throws -> FrameSlab {
        let ref = try #require(try await log.list().first { $0.index == shard })
        return try await log.read(ref, from: .start, maxBytes: 1 << 26)
    }

    fileprivate func records() async throws -> [JSONValue] {
        try await read(try await iterator("s", "0", "TRIM_HORIZON")).records
    }
}

private func holds(_ bytes: FrameBytes, _ text: String) -> Bool {
    Data([UInt8](bytes)).range(of: Data(text.utf8)) != nil
}

@Suite("encrypted streams")
struct EncryptionTests {
    private func service(_ keys: Keys, log: any ShardLog = MemoryShardLog()) async throws -> Service {
        let service = try await Service(log: log, keys: keys.source)
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        return service
    }

    @Test("hold plain records, records of several keys and plain ones again, and give back all of them in order")
    func mixed() async throws {
        let keys = try Keys()
        try keys.put("a", 1)
        try keys.put("b", 2)
        let service = try await service(keys)
        let plain = try await service.put("s", [("key-1", "text-1")])
        #expect(plain["EncryptionType"] == nil)
        try await service.encrypt("alias/a")
        let answer = try await service.put("s", [("key-2", "text-2"), ("key-3", "text-3")])
        #expect(answer["EncryptionType"]?.string == "KMS")
        try await service.encrypt("alias/b")
        let single = try await service.call(
            "PutRecord",
            #"{"StreamName":"s","PartitionKey":"key-4","Data":"\#(Base64.encode(Array("text-4".utf8)))"}"#
        )
        #expect(single["EncryptionType"]?.string == "KMS")
        try await service.stopEncryption()
        _ = try await service.put("s", [("key-5", "text-5")])

        let records = try await service.records()
        #expect(records.map(service.data) == (1...5).map { "text-\($0)" })
        #expect(records.compactMap { $0["PartitionKey"]?.string } == (1...5).map { "key-\($0)" })
        #expect(records.map { $0["EncryptionType"]?.string } == [nil, "KMS", "KMS", "KMS", nil])
        let stored = try await service.stored().bytes
        #expect(["1", "5"].allSatisfy { holds(stored, "text-" + $0) && holds(stored, "key-" + $0) })
        #expect(["2", "3", "4"].allSatisfy { !holds(stored, "text-" + $0) && !holds(stored, "key-" + $0) })
    }

    @Test("read from any record on, one at a time too")
    func pages() async throws {
        let keys = try Keys()
        try keys.put("a", 1)
        let service = try await service(keys)
        try await service.encrypt("alias/a")
        _ = try await service.put("s", (0..<10).map { ("k\($0)", "d\($0)") })
        let records = try await service.read(try await service.iterator("s", "0", "TRIM_HORIZON"), limit: 1).records
        #expect(records.map(service.data) == (0..<10).map { "d\($0)" })
        let number = try #require(records[6]["SequenceNumber"]?.string)
        let at = try await service.iterator("s", "0", "AT_SEQUENCE_NUMBER", #","StartingSequenceNumber":"\#(number)""#)
        #expect(try await service.read(at).records.map(service.data) == ["d6", "d7", "d8", "d9"])
    }

    @Test("start with a key that can be used only, and stay as they were otherwise")
    func start() async throws {
        let keys = try Keys()
        let service = try await service(keys)
        await #expect(throws: AWSError("KMSNotFoundException", "")) { try await service.encrypt("alias/a") }
        await #expect(throws: AWSError.invalidArgument("")) { try await service.encrypt("a") }
        let put = try await service.put("s", [("k", "plain")])
        #expect(put["EncryptionType"] == nil)
        let summary = try await service.call("DescribeStreamSummary", #"{"StreamName":"s"}"#)
        #expect(summary["StreamDescriptionSummary"]?["EncryptionType"]?.string == "NONE")
        try keys.put("a", 1)
        try await service.encrypt("alias/a")
        #expect(try await service.put("s", [("k", "secret")])["EncryptionType"]?.string == "KMS")
    }

    @Test("refuse puts and reads while their key is missing or disabled, lose nothing, and go on when it is back")
    func missingKey() async throws {
        let keys = try Keys()
        try keys.put("a", 1)
        let service = try await service(keys)
        _ = try await service.put("s", [("k", "plain")])
        try await service.encrypt("alias/a")
        _ = try await service.put("s", [("k", "first")])
        for (trouble, code) in [("gone", "KMSNotFoundException"), ("off", "KMSDisabledException")] {
            if trouble == "gone" { try keys.remove("a") } else { try keys.put("a.disabled", 0) }
            service.time.advance(1000)
            await #expect(throws: AWSError(code, "")) { try await service.put("s", [("k", "lost")]) }
            // What stands before is answered; the call that begins at an encrypted record is refused.
            let start = try await service.iterator("s", "0", "TRIM_HORIZON")
            let page = try await service.call("GetRecords", #"{"ShardIterator":"\#(start)"}"#)
            #expect(page["Records"]?.array?.map(service.data) == ["plain"])
            let next = try #require(page["NextShardIterator"]?.string)
            await #expect(throws: AWSError(code, "")) {
                try await service.call("GetRecords", #"{"ShardIterator":"\#(next)"}"#)
            }
            if trouble == "gone" { try keys.put("a", 1) } else { try keys.remove("a.disabled") }
            service.time.advance(1000)
            let more = try await service.read(next).records
            #expect(more.map(service.data) == ["first"])
        }
        _ = try await service.put("s", [("k", "second")])
        #expect(try await service.records().map(service.data) == ["plain", "first", "second"])
    }

    @Test("go on with a key's new version from the next put on, and read what the old one wrote")
    func rotation() async throws {
        let keys = try Keys()
        try keys.put("a", 1)
        let service = try await service(keys)
        try await service.encrypt("alias/a")
        _ = try await service.put("s", [("k", "old")])
        try keys.put("a.2", 2)
        service.time.advance(1000)
        _ = try await service.put("s", [("k", "new")])
        let slab = try await service.stored()
        let prints = try slab.frames.map { frame in
            try slab.bytes.withUnsafeBytes { bytes in
                try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range])).encryption()?
                    .fingerprint
            }
        }
        #expect(prints == [1, 2].map { RootKey([UInt8](repeating: $0, count: 32))?.fingerprint })
        #expect(try await service.records().map(service.data) == ["old", "new"])
    }

    @Test("know their producers and their end after a restart without the key, and their records when it is back")
    func restartWithoutKey() async throws {
        let keys = try Keys()
        try keys.put("a", 1)
        let service = try await service(keys)
        try await service.encrypt("alias/a")
        _ = try await service.put("s", [("k", "0"), ("k", "1")], producer: "ff:0+2")
        try keys.remove("a")
        let after = try await Service(log: service.log, state: service.state, keys: keys.source)
        #expect(try await after.shards("s").count == 1)
        await #expect(throws: AWSError("KMSNotFoundException", "")) { try await after.records() }
        try await after.stopEncryption()
        let answer = try await after.put("s", [("k", "1"), ("k", "2")], producer: "ff:1+2")
        #expect(answer["FailedRecordCount"]?.integer == 0 && answer["EncryptionType"] == nil)
        try keys.put("a", 1)
        after.time.advance(1000)
        #expect(try await after.records().map(after.data) == ["0", "1", "2"])
    }

    @Test("keep exactly-once and every key's order across reshards")
    func reshard() async throws {
        let keys = try Keys()
        try keys.put("a", 1)
        let service = try await service(keys)
        try await service.encrypt("alias/a")
        let records = (0..<30).map { (key: "k\($0)", data: "the data of record \($0)") }
        _ = try await service.put("s", Array(records[..<20]), producer: "1:0+20")
        try await service.call(
            "SplitShard",
            #"{"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"170141183460469231731687303715884105728"}"#
        )
        service.time.advance(1000)
        _ = try await service.put("s", records, producer: "1:0+30")
        #expect(try await service.contents("s").values.joined().sorted() == records.map(\.data).sorted())
        for shard in 0..<3 as Range<UInt32> {
            #expect(!holds(try await service.stored(shard: shard).bytes, "the data of"))
        }
    }

    @Test("never show a frame that was changed, or moved to another shard, another stream or another place")
    func moved() async throws {
        let keys = try Keys()
        try keys.put("a", 1)
        let service = try await service(keys)
        try await service.call("CreateStream", #"{"StreamName":"other","ShardCount":1}"#)
        try await service.encrypt("alias/a")
        try await service.encrypt("alias/a", stream: "other")
        for text in ["one", "two", "three"] {
            _ = try await service.put("s", [("k", text)])
            _ = try await service.put("other", [("k", text)])
        }
        let refs = try await service.log.list()
        let uid = try #require(service.collector.streams.withLock { $0.values.first { $0.key.name == "s" }?.uid })
        let own = try #require(refs.first { $0.stream == uid })
        let foreign = try #require(refs.first { $0.stream != uid })
        func frames(_ ref: ShardRef) async throws -> [[UInt8]] {
            let slab = try await service.log.read(ref, from: .start, maxBytes: 1 << 20)
            return slab.bytes.withUnsafeBytes { bytes in slab.frames.map { [UInt8](bytes[$0.range]) } }
        }
        let (good, strange) = (try await frames(own), try await frames(foreign))
        /// What is answered of a shard that holds these frames, until the first refusal.
        func answered(_ frames: [[UInt8]]) async throws -> [String] {
            try await service.log.delete(own)
            try await service.log.create(own)
            let appender = try await service.log.openAppender(own, expecting: nil)
            for bytes in frames {
                _ = try await withCheckedThrowingContinuation { continuation in
                    appender.append([AppendFrame(bytes: FrameBytes(bytes), arrivalMilliseconds: 0)]) {
                        continuation.resume(with: $0)
                    }
                }
            }
            var texts: [String] = []
            var next = Optional(try await service.iterator("s", "0", "TRIM_HORIZON"))
            while let at = next, texts.count < frames.count {
                guard let page = try? await service.call("GetRecords", #"{"ShardIterator":"\#(at)"}"#) else {
                    return texts + ["refused"]
                }
                texts += page["Records"]?.array?.map(service.data) ?? []
                next = page["NextShardIterator"]?.string
            }
            return texts
        }
        #expect(try await answered(good) == ["one", "two", "three"])
        #expect(try await answered([good[0], strange[1], good[2]]) == ["one", "refused"])
        // Frames of one shard in another order are noticed within an answer: the one that comes too late is not in it.
        #expect(try await answered([good[0], good[2], good[1]]).prefix(2) == ["one", "three"])
        var changed = good[1]
        changed[changed.count - 1] ^= 1
        #expect(try await answered([good[0], changed]) == ["one", "refused"])
    }
}
