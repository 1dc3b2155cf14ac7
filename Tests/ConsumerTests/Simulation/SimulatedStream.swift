@testable import Consumer

/// A stream of shards in memory that can be put to, split and merged, and remembers what handlers finished.
final class SimulatedStream {
    struct Shard {
        var id: String
        var parents: Set<String>
        var children: Set<String> = []
        var isClosed = false
        var records: [ConsumedRecord] = []
        var finished: Set<Int> = []
    }

    private(set) var shards: [String: Shard] = [:]
    private var made = 0

    @discardableResult
    func add(parents: Set<String> = []) -> String {
        made += 1
        let digits = String(made)
        let id = "shardId-" + String(repeating: "0", count: 12 - digits.count) + digits
        shards[id] = Shard(id: id, parents: parents)
        for parent in parents {
            shards[parent]?.isClosed = true
            shards[parent]?.children.insert(id)
        }
        return id
    }

    func split(_ id: String) { for _ in 0..<2 { add(parents: [id]) } }

    func merge(_ a: String, _ b: String) { add(parents: [a, b]) }

    var open: [String] { shards.values.filter { !$0.isClosed }.map(\.id).sorted() }

    func put(_ id: String) {
        guard let shard = shards[id], !shard.isClosed, let number = Int(id.dropFirst(8)) else { return }
        let sequence = String(number * 1_000_000_000 + shard.records.count)
        shards[id]?.records.append(
            ConsumedRecord(sequenceNumber: sequence, partitionKey: "k", data: [], arrivalMilliseconds: 0)
        )
    }

    func index(of sequence: String) -> Int { (Int(sequence) ?? 0) % 1_000_000_000 }

    func finish(_ records: [ConsumedRecord], of id: String) {
        for record in records { shards[id]?.finished.insert(index(of: record.sequenceNumber)) }
    }

    func isFinished(_ id: String) -> Bool {
        shards[id].map { $0.isClosed && $0.finished.count == $0.records.count } ?? true
    }

    /// Whether every record up to this one is finished.
    func isFinished(_ id: String, through sequence: String) -> Bool {
        guard let shard = shards[id] else { return false }
        return (0...index(of: sequence)).allSatisfy { shard.finished.contains($0) }
    }

    func iterator(_ id: String, _ position: ReadPosition) -> String {
        switch position {
        case .trimHorizon, .atTimestamp: "0"
        case .latest: String(shards[id]?.records.count ?? 0)
        case .at(let sequence): String(index(of: sequence))
        case .after(let sequence): String(index(of: sequence) + 1)
        }
    }

    func read(_ id: String, _ iterator: String, limit: Int) -> RecordPage {
        guard let shard = shards[id], let start = Int(iterator) else {
            return RecordPage(records: [], nextIterator: nil, millisBehindLatest: 0)
        }
        let records = Array(shard.records[min(start, shard.records.count)...].prefix(limit))
        let isEnd = shard.isClosed && start + records.count >= shard.records.count
        return RecordPage(
            records: records,
            nextIterator: isEnd ? nil : String(start + records.count),
            millisBehindLatest: start + records.count < shard.records.count ? 1 : 0,
            children: isEnd ? shard.children : []
        )
    }

    var listed: [ListedShard] {
        shards.values.map { ListedShard(id: $0.id, parents: $0.parents, isClosed: $0.isClosed) }
    }
}
