import AWSProtocol
import AccessPolicy
import Testing

@testable import Delivery

@Suite("Who may do what with delivery streams")
struct AuthorizationTests {
    private func caller(_ statement: String?) throws -> Caller {
        var policies: [PolicyDocument] = []
        if let statement {
            var reader = PolicyReader(.identity)
            let json = try JSONValue(parsing: #"{"Version":"2012-10-17","Statement":\#(statement)}"#.utf8)
            let document = reader.read(json)
            policies = [try #require(document, "\(reader.problems)")]
        }
        return Caller(
            principal: Principal(account: "000000000000", kind: .user("shipper"), policies: policies),
            context: CallContext(sourceAddress: nil, isSecure: false, userAgent: nil, milliseconds: 0),
            region: "us-east-1"
        )
    }

    private func code(
        _ service: DeliveryService,
        _ caller: Caller,
        _ operation: String,
        _ json: String
    ) async -> String? {
        do throws(AWSError) {
            if operation.hasPrefix("Put") {
                _ = try await service.hiddenStream(
                    deliveryStream: json,
                    region: "us-east-1",
                    for: operation,
                    caller: caller
                )
            } else {
                _ = try await service.handle(
                    operation: operation,
                    region: "us-east-1",
                    body: Array(json.utf8),
                    caller: caller
                )
            }
            return nil
        } catch {
            return error.code
        }
    }

    @Test("every operation is refused to a caller without a policy, whether the delivery stream is there or not")
    func everything() async throws {
        let world = try World()
        let service = world.service()
        _ = try await service.handle(
            operation: "CreateDeliveryStream",
            region: "us-east-1",
            body: Array(directPut().utf8)
        )
        let nobody = try caller(nil)
        for name in ["d", "nowhere"] {
            let named = #"{"DeliveryStreamName":"\#(name)"}"#
            for (operation, body) in [
                ("CreateDeliveryStream", directPut(name)), ("DeleteDeliveryStream", named),
                ("DescribeDeliveryStream", named), ("ListDeliveryStreams", "{}"), ("PutRecord", name),
                ("PutRecordBatch", name),
                (
                    "UpdateDestination",
                    #"{"DeliveryStreamName":"\#(name)","CurrentDeliveryStreamVersionId":"1","DestinationId":"destinationId-000000000001","ExtendedS3DestinationUpdate":{"Prefix":"p/"}}"#
                ),
            ] {
                #expect(await code(service, nobody, operation, body) == "AccessDeniedException", "\(operation) \(name)")
            }
        }
    }

    @Test("a policy names actions and delivery streams; who lets a stream be delivered must be allowed to read it")
    func policies() async throws {
        let world = try World()
        let service = world.service()
        let shipper = try caller(
            #"{"Effect":"Allow","Action":["firehose:Put*","firehose:CreateDeliveryStream"],"Resource":"arn:aws:firehose:*:*:deliverystream/d*"}"#
        )
        #expect(await code(service, shipper, "CreateDeliveryStream", directPut()) == nil)
        #expect(await code(service, shipper, "PutRecord", "d") == nil)
        #expect(await code(service, shipper, "PutRecordBatch", "d") == nil)
        #expect(await code(service, shipper, "PutRecord", "dx") == "ResourceNotFoundException")
        #expect(await code(service, shipper, "PutRecord", "x") == "AccessDeniedException")
        #expect(
            await code(service, shipper, "DeleteDeliveryStream", #"{"DeliveryStreamName":"d"}"#)
                == "AccessDeniedException"
        )
        _ = try await world.access.add("s", shards: 1)
        #expect(await code(service, shipper, "CreateDeliveryStream", sourced("d2")) == "AccessDeniedException")
        let reader = try caller(
            #"[{"Effect":"Allow","Action":"firehose:*","Resource":"*"},{"Effect":"Allow","Action":"kinesis:Get*","Resource":"*"}]"#
        )
        #expect(await code(service, reader, "CreateDeliveryStream", sourced("d2")) == nil)
    }
}
