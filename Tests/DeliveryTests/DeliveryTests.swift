import Glibc
import ShardLog
import Synchronization
import Testing

@testable import Delivery

@Suite struct DeliveryTests {
    @Test("records are concatenated with nothing between them unless a delimiter is asked for", arguments: [nil, "|"])
    func concatenation(delimiter: String?) async throws {
        let world = try World()
        let service = world.service()
        _ = try await service.call(
            "CreateDeliveryStream",
            directPut("d", destination(interval: 1, delimiter: delimiter))
        )
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        world.append(stream, ["one", "", "two"])
        world.append(stream, ["three"])
        let isDelivered = try await world.run(service) { service.status().first?.recordsDelivered == 4 }
        #expect(isDelivered)
        #expect(try world.contents() == [delimiter == nil ? "onetwothree" : "one||two|three|"])
        let name = try #require(world.files().first)
        #expect(name.hasPrefix("b/2023/11/14/22/d-1-2023-11-14-22-13-20-"), "\(name)")
    }

    @Test("a buffer waits for its interval, and its size ends it earlier")
    func buffering() async throws {
        let world = try World()
        let service = world.service()
        _ = try await service.call("CreateDeliveryStream", directPut("d", destination(interval: 2)))
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        let big = String(repeating: "x", count: 300_000)
        world.append(stream, ["\(big)", "\(big)", "\(big)", "\(big)", "\(big)"])
        // The full buffer goes first, the rest with its interval: two files, and the second one not before its time.
        let isFull = try await world.run(service) { (service.status().first?.recordsDelivered ?? 0) >= 4 }
        #expect(isFull)
        let isWhole = try await world.run(service) { service.status().first?.recordsDelivered == 5 }
        #expect(isWhole)
        #expect(try world.contents().map(\.utf8.count).sorted() == [300_001, 1_200_004])
    }

    @Test("nothing is written while nothing arrives, and new records are seen at once")
    func idle() async throws {
        let world = try World()
        let service = world.service()
        _ = try await service.call("CreateDeliveryStream", directPut())
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        let task = Task { try await service.run() }
        try await Task.sleep(for: .milliseconds(300))
        #expect(world.files() == [])
        let start = ContinuousClock.now
        world.append(stream, ["late"])
        while service.status().first?.filesFinalized != 1, start.duration(to: .now) < .seconds(5) {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(start.duration(to: .now) < .seconds(1))
        #expect(try world.lines() == [["late"]])
        let stop = ContinuousClock.now
        task.cancel()
        try await task.value
        #expect(stop.duration(to: .now) < .seconds(1))
    }

    @Test("a data stream is read from where it ended at creation, and children after their parents")
    func source() async throws {
        let world = try World()
        let stream = try await world.access.add("s", shards: 1)
        world.append(stream, ["before"])
        let service = world.service()
        _ = try await service.call("CreateDeliveryStream", sourced("d", destination(interval: 1)))
        world.append(stream, ["1", "2"])
        try await world.access.split("s", 0)
        world.append(stream, shard: 1, ["3"])
        world.append(stream, shard: 2, ["3"])
        let isDelivered = try await world.run(service) { service.status().first?.recordsDelivered == 4 }
        #expect(isDelivered)
        #expect(try world.lines() == [["1", "2", "3", "3"]])
        // What was read of the closed shard stays known.
        world.append(stream, shard: 2, ["4"])
        let heir = world.service()
        let isContinued = try await world.run(heir) { heir.status().first?.recordsDelivered == 5 }
        #expect(isContinued)
        #expect(try world.lines().flatMap { $0 }.sorted() == ["1", "2", "3", "3", "4"])
    }

    @Test("children that the list shows late are found")
    func lateChildren() async throws {
        let world = try World()
        let stream = try await world.access.add("s", shards: 1)
        let service = world.service()
        _ = try await service.call("CreateDeliveryStream", sourced())
        world.access.testLog.seal(ShardRef(stream: stream.uid, index: 0))
        let task = Task { try await service.run() }
        try await Task.sleep(for: .milliseconds(300))
        try await world.access.split("s", 0)
        world.append(stream, shard: 1, ["child"])
        let start = ContinuousClock.now
        while service.status().first?.recordsDelivered != 1, start.duration(to: .now) < .seconds(5) {
            try await Task.sleep(for: .milliseconds(5))
        }
        task.cancel()
        try await task.value
        #expect(try world.lines() == [["child"]])
    }

    @Test("a full disk is reported, loses nothing, and delivery goes on by itself when there is room")
    func fullDisk() async throws {
        let world = try World()
        let isFull = Mutex(true)
        let service = world.service { step, _ in step == .write && isFull.withLock { $0 } ? ENOSPC : 0 }
        _ = try await service.call("CreateDeliveryStream", directPut("d", destination(interval: 1)))
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        world.append(stream, ["one", "two"])
        var reported: String?
        let isDelivered = try await world.run(service) {
            if let error = service.status().first?.lastError {
                reported = error
                isFull.withLock { $0 = false }
            }
            return service.status().first?.recordsDelivered == 2
        }
        #expect(isDelivered)
        #expect(reported?.contains("No space left on device; free space there: delivery tries again by itself") == true)
        #expect(reported?.contains("\(world.root)/b/.inprogress/") == true)
        #expect(service.status().isEmpty, "the service is stopped")
        #expect(try world.lines() == [["one", "two"]])
        #expect(world.files(finished: false) == [])
    }

    @Test("a damaged frame stops its delivery stream with an error and is never served")
    func damaged() async throws {
        let world = try World()
        let service = world.service()
        _ = try await service.call("CreateDeliveryStream", directPut())
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        world.access.testLog.appendRaw(ShardRef(stream: stream.uid, index: 0), [1, 2, 3])
        var reported: String?
        let isReported = try await world.run(service) {
            reported = service.status().first?.lastError
            return reported != nil
        }
        #expect(isReported)
        #expect(reported?.contains("frame 0 of shard 0") == true)
        #expect(world.files() == [])
    }

    @Test("a deleted delivery stream delivers what was put before, then is gone")
    func deletion() async throws {
        let world = try World()
        let service = world.service()
        _ = try await service.call("CreateDeliveryStream", directPut("d", destination(interval: 900)))
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        world.append(stream, ["one", "two"])
        let task = Task { try await service.run() }
        while service.status().first?.bytesBuffered != 8 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(service.status().first?.millisBehind ?? 0 > 0)
        #expect(world.files() == [])
        _ = try await service.call("DeleteDeliveryStream", #"{"DeliveryStreamName": "d"}"#)
        let start = ContinuousClock.now
        while !service.status().isEmpty, start.duration(to: .now) < .seconds(5) {
            try await Task.sleep(for: .milliseconds(5))
        }
        task.cancel()
        try await task.value
        #expect(try world.lines() == [["one", "two"]])
        #expect(world.files(finished: false) == [])
        #expect(try await world.state.scan("delivery-streams", prefix: "", after: nil, limit: 1).isEmpty)
        #expect(try await world.state.scan("delivery-progress", prefix: "", after: nil, limit: 1).isEmpty)
    }

    @Test("an update delivers what is buffered under the old configuration, the rest under the new one")
    func update() async throws {
        let world = try World()
        let service = world.service()
        _ = try await service.call("CreateDeliveryStream", directPut("d", destination(interval: 900)))
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        world.append(stream, ["old"])
        let task = Task { try await service.run() }
        while service.status().first?.bytesBuffered != 4 { try await Task.sleep(for: .milliseconds(5)) }
        let update = """
            {"DeliveryStreamName": "d", "CurrentDeliveryStreamVersionId": "1", "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationUpdate": {"BucketARN": "arn:aws:s3:::c", "Prefix": "p/",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}}
            """
        _ = try await service.call("UpdateDestination", update)
        let start = ContinuousClock.now
        while service.status().first?.recordsDelivered != 1, start.duration(to: .now) < .seconds(5) {
            try await Task.sleep(for: .milliseconds(5))
        }
        world.append(stream, ["new"])
        while service.status().first?.recordsDelivered != 2, start.duration(to: .now) < .seconds(5) {
            try await Task.sleep(for: .milliseconds(5))
        }
        task.cancel()
        try await task.value
        #expect(try world.lines() == [["old"], ["new"]])
        #expect(world.files()[0].hasPrefix("b/2023/11/14/22/d-1-"))
        #expect(world.files()[1].hasPrefix("c/p/2023/11/14/22/d-2-"))
    }

    @Test("an update rescues a delivery stream from a folder that can't be written any more")
    func rescue() async throws {
        let world = try World()
        let broken = Mutex(false)
        let former = world.root + "/b/"
        let service = world.service { _, path in broken.withLock { $0 } && path.hasPrefix(former) ? EROFS : 0 }
        _ = try await service.call("CreateDeliveryStream", directPut("d", destination(interval: 900)))
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        world.append(stream, ["one"])
        let task = Task { try await service.run() }
        while service.status().first?.bytesBuffered != 4 { try await Task.sleep(for: .milliseconds(5)) }
        broken.withLock { $0 = true }
        let update = """
            {"DeliveryStreamName": "d", "CurrentDeliveryStreamVersionId": "1", "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationUpdate": {"BucketARN": "arn:aws:s3:::c",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}}
            """
        _ = try await service.call("UpdateDestination", update)
        let start = ContinuousClock.now
        while service.status().first?.recordsDelivered != 1, start.duration(to: .now) < .seconds(15) {
            try await Task.sleep(for: .milliseconds(5))
        }
        task.cancel()
        try await task.value
        #expect(try world.lines() == [["one"]])
        #expect(world.files().allSatisfy { $0.hasPrefix("c/") })
    }
}
