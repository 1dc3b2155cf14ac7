import AWSClient
import DynamoDBTypes

/// Leases in a DynamoDB table named after the application, as KCL 2 and 3 keep them, and the leader in
/// `APPLICATION-CoordinatorState`. Works against AWS and against a Millrace collector.
///
/// The item layouts are described in https://docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html.
public struct DynamoDBLeaseStore: LeaseStore {
    private let client: DynamoDBClient
    /// The lease table's name.
    public let table: String
    /// The coordinator table's name.
    public let coordinatorTable: String

    /// The tables of an application; nothing is made before ``prepare()``.
    public init(_ client: DynamoDBClient, applicationName: String) {
        self.client = client
        table = applicationName
        coordinatorTable = "\(applicationName)-CoordinatorState"
    }

    public func prepare() async throws {
        do {
            try await makeTable(table, hashKey: "leaseKey")
            try await makeTable(coordinatorTable, hashKey: "key")
        } catch let error as AWSClientError where error.isRefusal {
            throw WorkerError.refused(error.message)
        }
    }

    public func leases() async throws -> [Lease] { try await client.scan(table).compactMap { Lease(item: $0) } }

    /// Whether the lease table is there. Throws ``AWSClientError``.
    public func exists() async throws -> Bool {
        do {
            _ = try await client.describeTable(table)
            return true
        } catch let error where error.serviceCode == "ResourceNotFoundException" {
            return false
        }
    }

    public func lease(_ key: String) async throws -> Lease? {
        try await client.getItem(table, key: ["leaseKey": .string(key)]).flatMap { Lease(item: $0) }
    }

    public func create(_ lease: Lease) async throws -> Bool {
        try await holds {
            try await client.putItem(
                table,
                item: lease.item,
                condition: .init("attribute_not_exists(leaseKey)")
            )
        }
    }

    public func update(_ key: String, counter: Int64, _ change: LeaseChange) async throws -> Bool {
        try await holds {
            try await client.updateItem(
                table,
                key: ["leaseKey": .string(key)],
                update: Self.update(change, counter: counter),
                condition: Self.unchanged(counter)
            )
        }
    }

    public func delete(_ key: String, counter: Int64) async throws -> Bool {
        try await holds {
            try await client.deleteItem(table, key: ["leaseKey": .string(key)], condition: Self.unchanged(counter))
        }
    }

    public func leader() async throws -> LeaderRecord? {
        try await client.getItem(coordinatorTable, key: ["key": .string("Leader")]).flatMap { LeaderRecord(item: $0) }
    }

    public func replaceLeader(_ expected: LeaderRecord?, with record: LeaderRecord?) async throws -> Bool {
        var condition = DynamoDBClient.Expression("attribute_not_exists(#pk)", names: ["#pk": "key"])
        if let expected {
            condition = .init(
                "attribute_exists(#pk) AND #rvn = :rvn AND #on = :on",
                values: [":rvn": .string(expected.version), ":on": .string(expected.owner)],
                names: ["#pk": "key", "#rvn": "recordVersionNumber", "#on": "ownerName"]
            )
        }
        let checked = condition
        return try await holds {
            if let record {
                try await client.putItem(coordinatorTable, item: record.item, condition: checked)
            } else {
                try await client.deleteItem(coordinatorTable, key: ["key": .string("Leader")], condition: checked)
            }
        }
    }

    private static func unchanged(_ counter: Int64) -> DynamoDBClient.Expression {
        .init("leaseCounter = :c", values: [":c": .number(DecimalNumber(Int(counter)))])
    }

    /// One update expression for each kind of change; every one sets the counter.
    private static func update(_ change: LeaseChange, counter: Int64) -> DynamoDBClient.Expression {
        var text = "SET leaseCounter = :n"
        var values: Item = [":n": .number(DecimalNumber(Int(counter + 1)))]
        switch change {
        case .renew: break
        case .release: text += " REMOVE leaseOwner"
        case .take(let worker, let switches):
            // A KCL worker that was draining the shard for a handoff loses it too.
            text += ", leaseOwner = :w, ownerSwitchesSinceCheckpoint = :s REMOVE checkpointOwner"
            values[":w"] = .string(worker)
            values[":s"] = .number(DecimalNumber(Int(switches)))
        case .checkpoint(let checkpoint, let children):
            text += ", checkpoint = :k, checkpointSubSequenceNumber = :z, ownerSwitchesSinceCheckpoint = :z"
            values[":k"] = .string(checkpoint.description)
            values[":z"] = .number(.zero)
            if !children.isEmpty {
                text += ", childShardIds = :h"
                values[":h"] = AttributeValue(stringSet: children)
            }
            text += " REMOVE pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState"
        }
        return .init(text, values: values)
    }

    private func holds(_ write: () async throws -> Void) async throws -> Bool {
        do {
            try await write()
            return true
        } catch let error as AWSClientError where error.serviceCode == "ConditionalCheckFailedException" {
            return false
        }
    }

    private func makeTable(_ name: String, hashKey: String) async throws {
        while true {
            do {
                if try await client.describeTable(name) == "ACTIVE" { return }
            } catch let error where error.serviceCode == "ResourceNotFoundException" {
                try await create(name, hashKey)
                continue
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func create(_ name: String, _ hashKey: String) async throws {
        do {
            try await client.createTable(name, hashKey: hashKey)
        } catch let error where error.serviceCode == "ResourceInUseException" {
            // Another worker has just made it.
            return
        }
    }
}

extension AWSClientError {
    /// Whether trying again can't help: nothing to sign with, or the service doesn't accept the signer.
    var isRefusal: Bool {
        switch code {
        case .noCredentials, .configuration: true
        case .service(let error):
            [
                "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException",
                "IncompleteSignatureException", "IncompleteSignature", "MissingAuthenticationTokenException",
                "MissingAuthenticationToken", "InvalidClientTokenId", "SignatureDoesNotMatch", "NotAuthorized",
                "ExpiredTokenException",
            ].contains(error.code)
        case .connection, .timeout, .badResponse, .cancelled: false
        }
    }
}
