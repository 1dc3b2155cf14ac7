import AWSProtocol

/// A table as CreateTable, DescribeTable, UpdateTable and DeleteTable answer it.
public struct TableDescription: Sendable, Equatable {
    /// What its user decided.
    public var shape: TableShape
    /// `ACTIVE`, or `DELETING` in DeleteTable's answer.
    public var status: String
    /// Its ARN.
    public var arn: String
    /// Identity of this incarnation, a UUID.
    public var id: String
    /// When it was created, in milliseconds since 1970.
    public var createdMilliseconds: Int64
    /// Items in it.
    public var itemCount: Int
    /// Their size in bytes.
    public var sizeBytes: Int
    /// For each index by name: the items in it, and their size in bytes.
    public var indexCounts: [String: (items: Int, bytes: Int)]

    /// A description.
    public init(
        shape: TableShape,
        status: String,
        arn: String,
        id: String,
        createdMilliseconds: Int64,
        itemCount: Int = 0,
        sizeBytes: Int = 0,
        indexCounts: [String: (items: Int, bytes: Int)] = [:]
    ) {
        self.shape = shape
        self.status = status
        self.arn = arn
        self.id = id
        self.createdMilliseconds = createdMilliseconds
        self.itemCount = itemCount
        self.sizeBytes = sizeBytes
        self.indexCounts = indexCounts
    }

    /// Equal when they are answered alike.
    public static func == (lhs: TableDescription, rhs: TableDescription) -> Bool {
        lhs.json("Table") == rhs.json("Table")
    }

    /// The answer's JSON: the description under `member`, `Table` or `TableDescription`.
    public func json(_ member: StaticString) -> [UInt8] {
        answer { writer in
            writer.name(member)
            writer.object { write(to: &$0) }
        }
    }

    private func write(to writer: inout JSONWriter) {
        shape.writeKeys(to: &writer)
        writer.name("TableName")
        writer.string(shape.name)
        writer.name("TableStatus")
        writer.string(status)
        writer.name("CreationDateTime")
        writer.timestamp(milliseconds: createdMilliseconds)
        writer.name("ProvisionedThroughput")
        Self.write(shape.throughput, to: &writer)
        writer.name("TableSizeBytes")
        writer.integer(sizeBytes)
        writer.name("ItemCount")
        writer.integer(itemCount)
        writer.name("TableArn")
        writer.string(arn)
        writer.name("TableId")
        writer.string(id)
        if shape.isOnDemand {
            writer.name("BillingModeSummary")
            writer.object { writer in
                writer.name("BillingMode")
                writer.string("PAY_PER_REQUEST")
                writer.name("LastUpdateToPayPerRequestDateTime")
                writer.timestamp(milliseconds: createdMilliseconds)
            }
        }
        if !shape.indexes.isEmpty {
            writer.name("GlobalSecondaryIndexes")
            writer.array { writer in
                for index in shape.indexes { writer.object { write(index, to: &$0) } }
            }
        }
        writer.name("DeletionProtectionEnabled")
        writer.bool(shape.isProtected)
    }

    private func write(_ index: SecondaryIndex, to writer: inout JSONWriter) {
        index.writeDefinition(to: &writer)
        writer.name("IndexStatus")
        writer.string(status)
        writer.name("ProvisionedThroughput")
        Self.write(index.throughput, to: &writer)
        writer.name("IndexSizeBytes")
        writer.integer(indexCounts[index.name]?.bytes ?? 0)
        writer.name("ItemCount")
        writer.integer(indexCounts[index.name]?.items ?? 0)
        writer.name("IndexArn")
        writer.string("\(arn)/index/\(index.name)")
    }

    private static func write(_ throughput: Throughput?, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("NumberOfDecreasesToday")
            writer.integer(0)
            (throughput ?? Throughput(reads: 0, writes: 0)).write(to: &writer)
        }
    }
}
