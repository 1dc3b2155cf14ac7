import AWSProtocol

/// The key of a table or an index: a hash attribute, and maybe a range attribute.
public struct KeySchema: Sendable, Equatable {
    /// The hash attribute's name.
    public var hash: String
    /// The range attribute's name.
    public var range: String?

    /// A key.
    public init(hash: String, range: String? = nil) {
        self.hash = hash
        self.range = range
    }

    /// The attributes' names, the hash first.
    public var names: [String] { [hash] + (range.map { [$0] } ?? []) }

    /// Reads a list of `{AttributeName, KeyType}`.
    init(json elements: [JSONValue]) throws(AWSError) {
        func invalid() -> AWSError {
            .validation(
                "One or more parameter values were invalid: Invalid KeySchema: The first KeySchemaElement is not a HASH "
                    + "key type, or the second is not a RANGE key type"
            )
        }
        var parts: [(name: String, type: String)] = []
        for element in elements {
            guard let name = element["AttributeName"]?.string, !name.isEmpty, let type = element["KeyType"]?.string
            else { throw invalid() }
            parts.append((name, type))
        }
        guard (1...2).contains(parts.count), parts[0].type == "HASH", parts.count == 1 || parts[1].type == "RANGE"
        else {
            throw invalid()
        }
        guard parts.count == 1 || parts[0].name != parts[1].name else {
            throw .validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
        }
        self.init(hash: parts[0].name, range: parts.count == 2 ? parts[1].name : nil)
    }

    /// Writes it as a list of `{AttributeName, KeyType}`.
    func write(to writer: inout JSONWriter) {
        writer.array { writer in
            for (index, name) in names.enumerated() {
                writer.object { writer in
                    writer.name("AttributeName")
                    writer.string(name)
                    writer.name("KeyType")
                    writer.string(index == 0 ? "HASH" : "RANGE")
                }
            }
        }
    }
}

/// Capacity of a provisioned table or index, kept and answered and not enforced.
public struct Throughput: Sendable, Equatable {
    /// Read capacity units.
    public var reads: Int
    /// Write capacity units.
    public var writes: Int

    /// Capacity.
    public init(reads: Int, writes: Int) {
        self.reads = reads
        self.writes = writes
    }

    init?(json: JSONValue?) throws(AWSError) {
        guard let json else { return nil }
        guard let reads = json["ReadCapacityUnits"]?.integer, let writes = json["WriteCapacityUnits"]?.integer,
            reads >= 0, writes >= 0
        else {
            throw .validation(
                "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be "
                    + "specified as positive numbers"
            )
        }
        self.init(reads: Int(reads), writes: Int(writes))
    }

    func write(to writer: inout JSONWriter) {
        writer.name("ReadCapacityUnits")
        writer.integer(reads)
        writer.name("WriteCapacityUnits")
        writer.integer(writes)
    }
}

/// A global secondary index.
public struct SecondaryIndex: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its key.
    public var keys: KeySchema
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    public var projectionType: String
    /// Attributes beside the keys that `INCLUDE` shows.
    public var included: [String]
    /// Capacity, if provisioned.
    public var throughput: Throughput?

    init(json: JSONValue) throws(AWSError) {
        guard let name = json["IndexName"]?.string, (3...255).contains(name.utf8.count), Pattern.name.matches(name)
        else {
            throw .validation("One or more parameter values were invalid: IndexName must be 3 to 255 characters long")
        }
        self.name = name
        keys = try KeySchema(json: json["KeySchema"]?.array ?? [])
        let projection = json["Projection"]
        projectionType = projection?["ProjectionType"]?.string ?? "ALL"
        guard ["ALL", "KEYS_ONLY", "INCLUDE"].contains(projectionType) else {
            throw .validation(
                "One or more parameter values were invalid: Unknown ProjectionType: \(projectionType)"
            )
        }
        included = (projection?["NonKeyAttributes"]?.array ?? []).compactMap(\.string)
        guard (projectionType == "INCLUDE") == !included.isEmpty else {
            throw .validation(
                "One or more parameter values were invalid: ProjectionType is \(projectionType), but NonKeyAttributes is "
                    + (included.isEmpty ? "not specified" : "specified")
            )
        }
        throughput = try Throughput(json: json["ProvisionedThroughput"])
    }

    /// Writes the members of its definition.
    func writeDefinition(to writer: inout JSONWriter) {
        writer.name("IndexName")
        writer.string(name)
        writer.name("KeySchema")
        keys.write(to: &writer)
        writer.name("Projection")
        writer.object { writer in
            writer.name("ProjectionType")
            writer.string(projectionType)
            if !included.isEmpty {
                writer.name("NonKeyAttributes")
                writer.array { for name in included { $0.string(name) } }
            }
        }
    }
}
