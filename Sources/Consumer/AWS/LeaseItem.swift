import DynamoDBTypes

extension Lease {
    /// Reads a row of a lease table; nil when it isn't a lease, as the other rows of KCL 3.5's single table, or is damaged.
    init?(item: Item) {
        guard let key = item["leaseKey"]?.string, let text = item["checkpoint"]?.string,
            let checkpoint = Checkpoint(text), let counter = item["leaseCounter"]?.integer
        else { return nil }
        self.init(
            key: key,
            owner: item["leaseOwner"]?.string,
            counter: counter,
            checkpoint: checkpoint,
            subSequenceNumber: item["checkpointSubSequenceNumber"]?.integer ?? 0,
            ownerSwitches: item["ownerSwitchesSinceCheckpoint"]?.integer ?? 0,
            parents: item["parentShardId"]?.strings ?? [],
            children: item["childShardIds"]?.strings ?? [],
            startingHashKey: item["startingHashKey"]?.string,
            endingHashKey: item["endingHashKey"]?.string,
            startingSequenceNumber: item["startingSequenceNumber"]?.string,
            latestFrom: item["latestFromMillis"]?.integer
        )
    }

    /// The row, as KCL writes it: empty sets and a missing owner are left out.
    var item: Item {
        var item: Item = [
            "leaseKey": .string(key),
            "leaseCounter": .number(DecimalNumber(Int(counter))),
            "checkpoint": .string(checkpoint.description),
            "checkpointSubSequenceNumber": .number(DecimalNumber(Int(subSequenceNumber))),
            "ownerSwitchesSinceCheckpoint": .number(DecimalNumber(Int(ownerSwitches))),
        ]
        if let owner { item["leaseOwner"] = .string(owner) }
        if !parents.isEmpty { item["parentShardId"] = AttributeValue(stringSet: parents) }
        if !children.isEmpty { item["childShardIds"] = AttributeValue(stringSet: children) }
        if let startingHashKey { item["startingHashKey"] = .string(startingHashKey) }
        if let startingSequenceNumber { item["startingSequenceNumber"] = .string(startingSequenceNumber) }
        if let latestFrom { item["latestFromMillis"] = .number(DecimalNumber(Int(latestFrom))) }
        if let endingHashKey { item["endingHashKey"] = .string(endingHashKey) }
        return item
    }
}

extension LeaderRecord {
    /// Reads the row of the coordinator table; nil when it is damaged.
    init?(item: Item) {
        guard let owner = item["ownerName"]?.string, let version = item["recordVersionNumber"]?.string,
            let milliseconds = item["leaseDuration"]?.string.flatMap({ Int64($0) })
        else { return nil }
        self.init(
            owner: owner,
            leaseDuration: .milliseconds(milliseconds),
            version: version,
            isReleased: item["isReleased"] != nil
        )
    }

    /// The row.
    var item: Item {
        var item: Item = [
            "key": .string("Leader"), "ownerName": .string(owner), "recordVersionNumber": .string(version),
            "leaseDuration": .string(String(leaseDuration.milliseconds)),
        ]
        if isReleased { item["isReleased"] = .string("1") }
        return item
    }
}

extension AttributeValue {
    fileprivate var integer: Int64? { number.flatMap { Int64($0.description) } }

    fileprivate var strings: Set<String>? {
        if case .stringSet(let elements) = self { Set(elements) } else { nil }
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
