import AWSProtocol

/// `UpdateTable`: creates or deletes one index, or changes billing or protection; all of it is done when it answers.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
public struct UpdateTableRequest: Sendable, Equatable {
    /// The table.
    public var tableName: String
    /// An index to create.
    public var newIndex: SecondaryIndex?
    /// The name of an index to delete.
    public var droppedIndex: String?
    /// Types of key attributes by name, with those of the new index.
    public var attributeTypes: [String: String]
    /// A new billing mode.
    public var isOnDemand: Bool?
    /// New capacity.
    public var throughput: Throughput?
    /// New protection.
    public var isProtected: Bool?

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        tableName = try reader.tableName()
        let billing = try reader.string("BillingMode", values: ["PROVISIONED", "PAY_PER_REQUEST"])
        isOnDemand = billing.map { $0 == "PAY_PER_REQUEST" }
        isProtected = try reader.bool("DeletionProtectionEnabled")
        try reader.finish()
        throughput = try Throughput(json: reader.raw("ProvisionedThroughput"))
        attributeTypes = try TableShape.attributeTypes(try reader.elements("AttributeDefinitions") ?? [])
        let updates = try reader.elements("GlobalSecondaryIndexUpdates") ?? []
        guard updates.count <= 1 else {
            throw .limitExceeded(
                "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously"
            )
        }
        if let update = updates.first {
            if let create = update["Create"] {
                newIndex = try SecondaryIndex(json: create)
            } else if let name = update["Delete"]?["IndexName"]?.string {
                droppedIndex = name
            } else if update["Update"] == nil {
                throw .validation(
                    "One or more parameter values were invalid: One of GlobalSecondaryIndexUpdate.Update, "
                        + "GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null"
                )
            }
        }
    }

    /// The shape after the update. Throws `ValidationException` when it is not sound, `ResourceNotFoundException` for an
    /// index that is not there.
    public func apply(to old: TableShape) throws(AWSError) -> TableShape {
        var shape = old
        shape.attributeTypes.merge(attributeTypes) { known, _ in known }
        for (name, type) in attributeTypes where shape.attributeTypes[name] != type {
            throw .validation(
                "One or more parameter values were invalid: the type of attribute \(name) can not be changed"
            )
        }
        if let newIndex {
            guard !shape.indexes.contains(where: { $0.name == newIndex.name }) else {
                throw .validation("Attempting to create an index which already exists")
            }
            shape.indexes.append(newIndex)
        }
        if let droppedIndex {
            guard let index = shape.indexes.firstIndex(where: { $0.name == droppedIndex }) else {
                throw .notFound("Requested resource not found")
            }
            shape.indexes.remove(at: index)
        }
        if let isOnDemand {
            shape.isOnDemand = isOnDemand
            if isOnDemand { shape.throughput = nil }
        }
        if let throughput { shape.throughput = throughput }
        if let isProtected { shape.isProtected = isProtected }
        let used = Set(shape.keys.names + shape.indexes.flatMap(\.keys.names))
        shape.attributeTypes = shape.attributeTypes.filter { used.contains($0.key) }
        try shape.check()
        return shape
    }
}
