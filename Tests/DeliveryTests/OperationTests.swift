import AWSProtocol
import Testing

@testable import Delivery

@Suite struct OperationTests {
    @Test("a delivery stream is created, described, listed, updated and deleted")
    func lifeCycle() async throws {
        let world = try World()
        let service = world.service()
        let created = try await service.call("CreateDeliveryStream", directPut())
        #expect(
            created["DeliveryStreamARN"]?.string
                == "arn:aws:firehose:us-east-1:000000000000:deliverystream/d"
        )
        let answer = try await service.call("DescribeDeliveryStream", #"{"DeliveryStreamName": "d"}"#)
        let description = try #require(answer["DeliveryStreamDescription"])
        #expect(description["DeliveryStreamStatus"]?.string == "ACTIVE")
        #expect(description["DeliveryStreamType"]?.string == "DirectPut")
        #expect(description["VersionId"]?.string == "1")
        #expect(description["HasMoreDestinations"]?.bool == false)
        let s3 = try #require(description["Destinations"]?.array?[0]["ExtendedS3DestinationDescription"])
        #expect(s3["BufferingHints"]?["SizeInMBs"]?.integer == 1)
        #expect(s3["CompressionFormat"]?.string == "UNCOMPRESSED")
        let parameter = s3["ProcessingConfiguration"]?["Processors"]?.array?[0]["Parameters"]?.array?[0]
        #expect(parameter?["ParameterValue"]?.string == "\\n")

        let update = """
            {"DeliveryStreamName": "d", "CurrentDeliveryStreamVersionId": "1", "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationUpdate": {"Prefix": "new/"}}
            """
        _ = try await service.call("UpdateDestination", update)
        let error = await #expect(throws: AWSError.self) { try await service.call("UpdateDestination", update) }
        #expect(error?.code == "ConcurrentModificationException")
        let again = try await service.call("DescribeDeliveryStream", #"{"DeliveryStreamName": "d"}"#)
        let changed = again["DeliveryStreamDescription"]
        #expect(changed?["VersionId"]?.string == "2")
        let after = changed?["Destinations"]?.array?[0]["ExtendedS3DestinationDescription"]
        #expect(after?["Prefix"]?.string == "new/")
        #expect(after?["BufferingHints"]?["SizeInMBs"]?.integer == 1)

        _ = try await service.call("DeleteDeliveryStream", #"{"DeliveryStreamName": "d"}"#)
        let isGone = try await world.run(service) {
            try await world.state.scan("delivery-streams", prefix: "", after: nil, limit: 1).isEmpty
        }
        #expect(isGone)
        #expect(try await world.state.scan("delivery-progress", prefix: "", after: nil, limit: 9).isEmpty)
        #expect(world.access.streams.withLock { $0.isEmpty })
    }

    @Test("names are listed in order, page by page, by type and by region")
    func list() async throws {
        let world = try World()
        _ = try await world.access.add("s", shards: 1)
        let service = world.service()
        for name in ["b", "a", "d", "c"] { _ = try await service.call("CreateDeliveryStream", directPut(name)) }
        _ = try await service.call("CreateDeliveryStream", sourced("bb"))
        func names(_ json: String, region: String = "us-east-1") async throws -> ([String], Bool?) {
            let body = try await service.handle(
                operation: "ListDeliveryStreams",
                region: region,
                body: Array(json.utf8)
            )
            let answer = try JSONValue(parsing: body)
            return (
                answer["DeliveryStreamNames"]?.array?.compactMap(\.string) ?? [], answer["HasMoreDeliveryStreams"]?.bool
            )
        }
        #expect(try await names("{}") == (["a", "b", "bb", "c", "d"], false))
        #expect(try await names(#"{"Limit": 2}"#) == (["a", "b"], true))
        #expect(try await names(#"{"Limit": 2, "ExclusiveStartDeliveryStreamName": "bz"}"#) == (["c", "d"], false))
        #expect(try await names(#"{"DeliveryStreamType": "KinesisStreamAsSource"}"#) == (["bb"], false))
        #expect(try await names("{}", region: "eu-west-1") == ([], false))
    }

    @Test(
        "a request that can't be carried out is refused in AWS's words",
        arguments: [
            (
                "{}", "ValidationException",
                "Value null at 'deliveryStreamName' failed to satisfy constraint: Member must not be"
            ),
            (
                directPut("a b"), "ValidationException",
                "1 validation error detected: Value 'a b' at 'deliveryStreamName' failed to satisfy constraint: Member must "
                    + "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
            ),
            (
                directPut("d", destination(more: #", "CompressionFormat": "LZ4""#)), "ValidationException",
                "Value 'LZ4' at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member "
                    + "must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]"
            ),
            (
                directPut("d", destination(interval: 901)), "ValidationException",
                "Value '901' at 'extendedS3DestinationConfiguration.bufferingHints.intervalInSeconds' failed"
            ),
            (directPut("d", destination(bucket: "a/b")), "ValidationException", "bucketARN"),
            (directPut("d", destination(bucket: "..")), "InvalidArgumentException", "would leave the sink's folder"),
            (directPut("d", destination(prefix: "../x/")), "InvalidArgumentException", "would leave the sink's folder"),
            (directPut("d", destination(prefix: "/x/")), "InvalidArgumentException", "starts with '/'"),
            (
                directPut("d", destination(prefix: "!{timestamp:yyyy}/")), "InvalidArgumentException",
                "ErrorOutputPrefix can't be null when Prefix contains expressions"
            ),
            (
                directPut("d", destination(prefix: "!{nope:x}/")), "InvalidArgumentException",
                "'!{nope:x}' has an unknown"
            ),
            (
                directPut("d", destination(more: #", "CompressionFormat": "GZIP""#)), "InvalidArgumentException",
                "CompressionFormat GZIP is not supported"
            ),
            (
                directPut("d", destination(more: #", "DynamicPartitioningConfiguration": {"Enabled": true}"#)),
                "InvalidArgumentException", "DynamicPartitioningConfiguration is not supported"
            ),
            (
                #"{"DeliveryStreamName": "d"}"#, "InvalidArgumentException",
                "Exactly one destination configuration is supported for a Firehose"
            ),
            (
                #"{"DeliveryStreamName": "d", "SplunkDestinationConfiguration": {}}"#, "InvalidArgumentException",
                "SplunkDestinationConfiguration is not supported"
            ),
            (sourced(stream: "none"), "ResourceNotFoundException", "Stream none under account 000000000000 not found."),
            ("[", "SerializationException", "not valid JSON"),
            (#"{"DeliveryStreamName": 5}"#, "SerializationException", "can not be converted to an String"),
        ]
    )
    func refusals(body: String, code: String, message: String) async throws {
        let world = try World()
        let service = world.service()
        let error = await #expect(throws: AWSError.self) { try await service.call("CreateDeliveryStream", body) }
        #expect(error?.code == code)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(try await world.state.scan("delivery-streams", prefix: "", after: nil, limit: 1).isEmpty)
    }

    @Test("the put path gets the hidden stream, or AWS's refusal")
    func putPath() async throws {
        let world = try World()
        _ = try await world.access.add("s", shards: 1)
        let service = world.service()
        let unknown = await #expect(throws: AWSError.self) {
            try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        }
        #expect(unknown?.code == "ResourceNotFoundException")
        #expect(unknown?.message == "Firehose d under account 000000000000 not found.")
        _ = try await service.call("CreateDeliveryStream", directPut())
        _ = try await service.call("CreateDeliveryStream", sourced("k"))
        let stream = try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        #expect(stream.name.hasPrefix("firehose$d$"))
        // Another process finds the row too.
        #expect(try await world.service().hiddenStream(deliveryStream: "d", region: "us-east-1") == stream)
        let sourced = await #expect(throws: AWSError.self) {
            try await service.hiddenStream(deliveryStream: "k", region: "us-east-1")
        }
        #expect(sourced?.code == "InvalidArgumentException")
        let taken = await #expect(throws: AWSError.self) { try await service.call("CreateDeliveryStream", directPut()) }
        #expect(taken?.code == "ResourceInUseException")
        #expect(taken?.message == "Firehose d under accountId 000000000000 already exists")
        _ = try await service.call("DeleteDeliveryStream", #"{"DeliveryStreamName": "d"}"#)
        await #expect(throws: AWSError.notFound("")) {
            try await service.hiddenStream(deliveryStream: "d", region: "us-east-1")
        }
        await #expect(throws: AWSError("UnknownOperationException", "")) { try await service.call("PutRecord", "{}") }
    }

    @Test("a creation cut off by a crash at any step is finished or undone, never left over")
    func interruptedCreation() async throws {
        for steps in 0..<8 {
            let world = try World()
            let life = Life(steps: steps)
            do {
                _ = try await world.service(life: life, appliesLastWrite: true).call(
                    "CreateDeliveryStream",
                    directPut()
                )
            } catch {
                #expect(life.isDead)
            }
            let heir = world.service()
            let isUsable = try await world.run(heir) {
                do {
                    _ = try await heir.hiddenStream(deliveryStream: "d", region: "us-east-1")
                    return true
                } catch {
                    return try await world.state.scan("delivery-streams", prefix: "", after: nil, limit: 1).isEmpty
                }
            }
            #expect(isUsable, "step \(steps)")
        }
    }
}
