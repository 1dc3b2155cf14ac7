import AWSProtocol

/// All that a user decides about a table: what CreateTable brings and UpdateTable changes.
public struct TableShape: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its key.
    public var keys: KeySchema
    /// Types of key attributes, `S`, `N` or `B`, by name.
    public var attributeTypes: [String: String]
    /// Its indexes.
    public var indexes: [SecondaryIndex]
    /// `PAY_PER_REQUEST`, otherwise `PROVISIONED`.
    public var isOnDemand: Bool
    /// Capacity, if provisioned.
    public var throughput: Throughput?
    /// Refuses DeleteTable.
    public var isProtected: Bool
    /// Kept, and not used.
    public var tags: [Tag]

    /// A tag of a table.
    public struct Tag: Sendable, Equatable {
        /// Its key.
        public var key: String
        /// Its value.
        public var value: String
    }

    /// Reads a CreateTable request, which is also the stored form. Throws `ValidationException` in AWS's words.
    public init(reading reader: inout RequestReader) throws(AWSError) {
        name = try reader.tableName()
        isProtected = try reader.bool("DeletionProtectionEnabled") ?? false
        let billing = try reader.string("BillingMode", values: ["PROVISIONED", "PAY_PER_REQUEST"])
        isOnDemand = billing == "PAY_PER_REQUEST"
        let keyElements = try reader.elements("KeySchema")
        if keyElements == nil { reader.note(nil, "KeySchema", "Member must not be null") }
        let attributes = try reader.elements("AttributeDefinitions")
        if attributes == nil { reader.note(nil, "AttributeDefinitions", "Member must not be null") }
        try reader.finish()
        if let local = try reader.elements("LocalSecondaryIndexes"), !local.isEmpty {
            throw .validation("Local secondary indexes are not supported here; use a global secondary index.")
        }
        keys = try KeySchema(json: keyElements ?? [])
        attributeTypes = try Self.attributeTypes(attributes ?? [])
        indexes = []
        for element in try reader.elements("GlobalSecondaryIndexes") ?? [] {
            indexes.append(try SecondaryIndex(json: element))
        }
        throughput = try Throughput(json: reader.raw("ProvisionedThroughput"))
        tags = []
        for element in try reader.elements("Tags") ?? [] {
            guard let key = element["Key"]?.string, let value = element["Value"]?.string else {
                throw .validation("One or more parameter values were invalid: a tag has a Key and a Value")
            }
            tags.append(Tag(key: key, value: value))
        }
        try check()
    }

    /// Reads a list of `{AttributeName, AttributeType}`.
    static func attributeTypes(_ elements: [JSONValue]) throws(AWSError) -> [String: String] {
        var types: [String: String] = [:]
        for element in elements {
            guard let name = element["AttributeName"]?.string, let type = element["AttributeType"]?.string else {
                throw .validation(
                    "One or more parameter values were invalid: an attribute definition has a name and a type"
                )
            }
            guard ["S", "N", "B"].contains(type) else {
                throw .validation(
                    "1 validation error detected: Value '\(type)' at 'attributeDefinitions.1.member.attributeType' failed "
                        + "to satisfy constraint: Member must satisfy enum value set: [B, N, S]"
                )
            }
            if let known = types[name], known != type {
                throw .validation("One or more parameter values were invalid: Duplicate AttributeName: \(name)")
            }
            types[name] = type
        }
        return types
    }

    /// What must hold between the members.
    func check() throws(AWSError) {
        func invalid(_ text: String) -> AWSError {
            .validation("One or more parameter values were invalid: \(text)")
        }
        let defined = attributeTypes.keys.sorted().joined(separator: ", ")
        guard keys.names.allSatisfy({ attributeTypes[$0] != nil }) else {
            throw invalid(
                "Some index key attributes are not defined in AttributeDefinitions. Keys: "
                    + "[\(keys.names.joined(separator: ", "))], AttributeDefinitions: [\(defined)]"
            )
        }
        var used = Set(keys.names)
        var names: Set<String> = []
        for index in indexes {
            guard index.keys.names.allSatisfy({ attributeTypes[$0] != nil }) else {
                throw invalid(
                    "Some index key attributes are not defined in AttributeDefinitions. Keys: "
                        + "[\(index.keys.names.joined(separator: ", "))], AttributeDefinitions: [\(defined)]"
                )
            }
            guard names.insert(index.name).inserted else { throw invalid("Duplicate index name: \(index.name)") }
            used.formUnion(index.keys.names)
        }
        guard used.count == attributeTypes.count else {
            throw invalid(
                "Number of attributes in KeySchema does not exactly match number of attributes defined in "
                    + "AttributeDefinitions"
            )
        }
        if isOnDemand, throughput != nil {
            throw invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        }
        if !isOnDemand, throughput == nil {
            throw invalid(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
            )
        }
    }

    /// Writes the members of a CreateTable request.
    public func write(to writer: inout JSONWriter) {
        writer.name("TableName")
        writer.string(name)
        writeKeys(to: &writer)
        writer.name("BillingMode")
        writer.string(isOnDemand ? "PAY_PER_REQUEST" : "PROVISIONED")
        if let throughput {
            writer.name("ProvisionedThroughput")
            writer.object { throughput.write(to: &$0) }
        }
        writer.name("DeletionProtectionEnabled")
        writer.bool(isProtected)
        if !indexes.isEmpty {
            writer.name("GlobalSecondaryIndexes")
            writer.array { writer in
                for index in indexes {
                    writer.object { writer in
                        index.writeDefinition(to: &writer)
                        if let throughput = index.throughput {
                            writer.name("ProvisionedThroughput")
                            writer.object { throughput.write(to: &$0) }
                        }
                    }
                }
            }
        }
        writer.name("Tags")
        writer.array { writer in
            for tag in tags {
                writer.object { writer in
                    writer.name("Key")
                    writer.string(tag.key)
                    writer.name("Value")
                    writer.string(tag.value)
                }
            }
        }
    }

    /// Writes `AttributeDefinitions` and `KeySchema`.
    func writeKeys(to writer: inout JSONWriter) {
        writer.name("AttributeDefinitions")
        writer.array { writer in
            for (name, type) in attributeTypes.sorted(by: { $0.key < $1.key }) {
                writer.object { writer in
                    writer.name("AttributeName")
                    writer.string(name)
                    writer.name("AttributeType")
                    writer.string(type)
                }
            }
        }
        writer.name("KeySchema")
        keys.write(to: &writer)
    }
}
