import AWSProtocol
import FirehoseTypes
import StateStore

/// One delivery stream as its state row holds it.
struct DeliveryConfig: Sendable, Equatable {
    enum Status: String, Sendable {
        case creating = "CREATING"
        case active = "ACTIVE"
        case deleting = "DELETING"
    }

    static let namespace = "delivery-streams"

    var name: String
    var region: String
    /// Of this incarnation: small letters and digits.
    var uid: String
    var status: Status
    var version = 1
    var createdMilliseconds: Int64
    var updatedMilliseconds: Int64?
    var deletedMilliseconds: Int64?
    /// The data stream given, nil for direct puts.
    var source: CreateDeliveryStreamRequest.Source?
    /// The stream that is read: the source, or the hidden stream; nil while creating.
    var stream: StreamHandle?
    var destination: S3Destination
    /// Buckets of earlier configurations: an unfinished file may still lie there.
    var formerBuckets: [String] = []
    var tags: [(key: String, value: String)] = []

    var key: StateKey { Self.key(name, region) }
    var hiddenStreamName: String { "firehose$\(name)$\(uid)" }

    static func key(_ name: String, _ region: String) -> StateKey { StateKey(namespace, "\(region)/\(name)") }

    static func == (lhs: Self, rhs: Self) -> Bool { lhs.encoded() == rhs.encoded() }

    func encoded() -> [UInt8] {
        jsonBytes(reserving: 1024) { writer in
            writer.name("format")
            writer.integer(1)
            writer.string("name", name)
            writer.string("region", region)
            writer.string("uid", uid)
            writer.string("status", status.rawValue)
            writer.name("version")
            writer.integer(version)
            writer.integer("created", createdMilliseconds)
            writer.integer("updated", updatedMilliseconds)
            writer.integer("deleted", deletedMilliseconds)
            if let source {
                writer.string("sourceARN", source.streamARN)
                writer.string("sourceRole", source.roleARN)
            }
            if let stream {
                writer.string("streamRegion", stream.region)
                writer.string("streamName", stream.name)
                writer.string("streamUID", stream.uid)
            }
            writer.name("destination")
            writer.object { destination.write(to: &$0) }
            writer.name("formerBuckets")
            writer.array { for bucket in formerBuckets { $0.string(bucket) } }
            writer.name("tags")
            writer.array {
                for tag in tags {
                    $0.object {
                        $0.string("Key", tag.key)
                        $0.string("Value", tag.value)
                    }
                }
            }
        }
    }

    /// Throws `StateStoreError.corrupt` when the row is not one of ours.
    init(_ entry: StateEntry) throws(StateStoreError) {
        func corrupt(_ reason: String) -> StateStoreError { .corrupt("delivery stream row \(entry.key): \(reason)") }
        do {
            var reader = try RequestReader(body: entry.value)
            guard reader.raw("format")?.integer == 1 else { throw corrupt("its format is not known") }
            name = try reader.string("name", required: true) ?? ""
            region = try reader.string("region", required: true) ?? ""
            uid = try reader.string("uid", required: true) ?? ""
            guard let status = Status(rawValue: try reader.string("status", required: true) ?? "") else {
                throw corrupt("its status is not known")
            }
            self.status = status
            version = try reader.integer("version", required: true) ?? 1
            createdMilliseconds = reader.raw("created")?.integer ?? 0
            updatedMilliseconds = reader.raw("updated")?.integer
            deletedMilliseconds = reader.raw("deleted")?.integer
            if let arn = try reader.string("sourceARN") {
                source = .init(streamARN: arn, roleARN: try reader.string("sourceRole") ?? "")
            }
            if let uid = try reader.string("streamUID") {
                stream = StreamHandle(
                    region: try reader.string("streamRegion") ?? "",
                    name: try reader.string("streamName") ?? "",
                    uid: uid
                )
            }
            let destination = try reader.structure("destination", required: true) { nested throws(AWSError) in
                try S3Destination(reading: &nested)
            }
            try reader.finish()
            guard let destination else { throw corrupt("it has no destination") }
            self.destination = destination
            formerBuckets = reader.raw("formerBuckets")?.array?.compactMap(\.string) ?? []
            tags =
                reader.raw("tags")?.array?.map { (key: $0["Key"]?.string ?? "", value: $0["Value"]?.string ?? "") }
                ?? []
        } catch let error as StateStoreError {
            throw error
        } catch {
            throw corrupt("\(error)")
        }
    }

    /// A delivery stream about to be created.
    init(_ request: CreateDeliveryStreamRequest, region: String, uid: String, now: Int64) {
        name = request.name
        self.region = region
        self.uid = uid
        status = .creating
        createdMilliseconds = now
        source = request.source
        destination = request.destination
        tags = request.tags
    }
}

extension JSONWriter {
    mutating func string(_ name: StaticString, _ text: String) {
        self.name(name)
        string(text)
    }

    mutating func integer(_ name: StaticString, _ value: Int64?) {
        guard let value else { return }
        self.name(name)
        integer(value)
    }
}
