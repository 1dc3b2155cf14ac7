import StreamModel

/// What a shard remembers of producers that number their records (the agent): the last sequence it holds of each.
///
/// A producer sends a shard its records in rising order, so everything up to the last sequence is there already and a
/// second copy of it is dropped. A child shard inherits what its parents know, each parent's knowledge limited to the
/// hash keys the parent took.
struct ProducerTable: Sendable, Equatable {
    /// What one shard knows of one producer.
    struct Entry: Sendable, Equatable {
        var last: Int64
        /// When its last record arrived, in milliseconds since 1970.
        var seen: Int64
    }

    /// An ancestor's knowledge.
    struct Inheritance: Sendable, Equatable {
        var range: HashRange
        var entries: [UInt64: Entry]
    }

    private(set) var own: [UInt64: Entry] = [:]
    private(set) var inherited: [Inheritance] = []

    init() {}

    /// What the children of `parents` start with.
    init(inheriting parents: [(range: HashRange, table: ProducerTable)]) {
        for parent in parents {
            inherited += parent.table.inherited
            if !parent.table.own.isEmpty {
                inherited.append(Inheritance(range: parent.range, entries: parent.table.own))
            }
        }
    }

    /// The last sequence held, for a record with this hash key; nil for an unknown producer.
    func last(_ producer: UInt64, for key: HashKey) -> Int64? {
        var last = own[producer]?.last
        for parent in inherited where parent.range.contains(key) {
            if let entry = parent.entries[producer] { last = max(last ?? entry.last, entry.last) }
        }
        return last
    }

    /// The last sequence held whatever the hash key: at or below it, records must be looked at one by one.
    func highest(_ producer: UInt64) -> Int64? {
        var last = own[producer]?.last
        for parent in inherited {
            if let entry = parent.entries[producer] { last = max(last ?? entry.last, entry.last) }
        }
        return last
    }

    /// Notes a stored sequence.
    mutating func note(_ producer: UInt64, last: Int64, seen: Int64) {
        let before = own[producer]?.last ?? last
        own[producer] = Entry(last: max(before, last), seen: seen)
    }

    /// Forgets producers that were silent since `limit`.
    mutating func forget(silentSince limit: Int64) {
        own = own.filter { $0.value.seen >= limit }
        for index in inherited.indices {
            inherited[index].entries = inherited[index].entries.filter { $0.value.seen >= limit }
        }
        inherited.removeAll { $0.entries.isEmpty }
    }
}

extension ProducerTable {
    // Snapshot, little-endian:
    //
    //   u8 version=1 | u64 position | own entries | u32 n | n x { u128 start | u128 end | entries }
    //   entries: u32 count | count x { u64 producer | i64 last | i64 seen ms }

    /// Entries that a snapshot holds at most: 3.6 MB, below what the state store takes. A producer is one generation of a
    /// file, so a shard sees so many in a week only from thousands of hosts; the ones silent for longest are left out then.
    static let snapshotLimit = 150_000

    /// The table without those silent for longest, so that a snapshot can be stored.
    private func limited() -> ProducerTable {
        let all = [own] + inherited.map(\.entries)
        guard all.reduce(0, { $0 + $1.count }) > Self.snapshotLimit else { return self }
        let seen = all.flatMap { $0.values.map(\.seen) }.sorted(by: >)
        var limited = self
        limited.forget(silentSince: seen[Self.snapshotLimit] + 1)
        return limited
    }

    /// The table as of a position in the shard's log: everything before it is accounted for.
    func snapshot(at position: UInt64) -> [UInt8] {
        let (own, inherited) = { ($0.own, $0.inherited) }(limited())
        var bytes: [UInt8] = [1]
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        func put(_ entries: [UInt64: Entry]) {
            put(UInt32(entries.count))
            for (producer, entry) in entries {
                put(producer)
                put(entry.last)
                put(entry.seen)
            }
        }
        put(position)
        put(own)
        put(UInt32(inherited.count))
        for parent in inherited {
            put(parent.range.start.value)
            put(parent.range.end.value)
            put(parent.entries)
        }
        return bytes
    }

    /// Reads a snapshot; nil when it is none, and the log must be read instead.
    static func restore(_ bytes: [UInt8]) -> (table: ProducerTable, position: UInt64)? {
        var at = 0
        func take<T: FixedWidthInteger>(_ type: T.Type) -> T? {
            guard at + MemoryLayout<T>.size <= bytes.count else { return nil }
            defer { at += MemoryLayout<T>.size }
            return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: T.self)) }
        }
        func entries() -> [UInt64: Entry]? {
            guard let count = take(UInt32.self) else { return nil }
            var entries: [UInt64: Entry] = [:]
            for _ in 0..<count {
                guard let producer = take(UInt64.self), let last = take(Int64.self), let seen = take(Int64.self) else {
                    return nil
                }
                entries[producer] = Entry(last: last, seen: seen)
            }
            return entries
        }
        guard take(UInt8.self) == 1, let position = take(UInt64.self), let own = entries(),
            let count = take(UInt32.self)
        else { return nil }
        var table = ProducerTable()
        table.own = own
        for _ in 0..<count {
            guard let start = take(UInt128.self), let end = take(UInt128.self), start <= end, let entries = entries()
            else {
                return nil
            }
            let range = HashRange(start: HashKey(start), end: HashKey(end))
            table.inherited.append(Inheritance(range: range, entries: entries))
        }
        return at == bytes.count ? (table, position) : nil
    }
}
