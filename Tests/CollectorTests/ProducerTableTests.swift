import AWSProtocol
import StreamModel
import Testing

@testable import Collector

@Suite("what a shard remembers of producers")
struct ProducerTableTests {
    private let low = HashRange(start: HashKey(0), end: HashKey(99))
    private let high = HashRange(start: HashKey(100), end: .max)

    @Test("a child knows what its parent stored")
    func split() {
        var parent = ProducerTable()
        parent.note(7, last: 41, seen: 1)
        let child = ProducerTable(inheriting: [(low, parent)])
        #expect(child.last(7, for: HashKey(5)) == 41)
        #expect(child.last(8, for: HashKey(5)) == nil)
    }

    @Test("after a merge each parent's knowledge counts for its own hash keys only")
    func merge() {
        var (one, other) = (ProducerTable(), ProducerTable())
        one.note(7, last: 10, seen: 1)
        other.note(7, last: 20, seen: 1)
        var child = ProducerTable(inheriting: [(low, one), (high, other)])
        #expect(child.last(7, for: HashKey(5)) == 10)
        #expect(child.last(7, for: HashKey(500)) == 20)
        #expect(child.highest(7) == 20)
        child.note(7, last: 15, seen: 2)
        #expect(child.last(7, for: HashKey(5)) == 15)
        #expect(child.last(7, for: HashKey(500)) == 20)
    }

    @Test("a grandchild keeps the limits of its grandparents")
    func lineage() {
        var one = ProducerTable()
        one.note(7, last: 10, seen: 1)
        var merged = ProducerTable(inheriting: [(low, one), (high, ProducerTable())])
        merged.note(9, last: 3, seen: 1)
        let grandchild = ProducerTable(inheriting: [(.all, merged)])
        #expect(grandchild.last(7, for: HashKey(5)) == 10)
        #expect(grandchild.last(7, for: HashKey(500)) == nil)
        #expect(grandchild.last(9, for: HashKey(500)) == 3)
    }

    @Test("snapshots restore what they were taken of, and damaged ones are refused")
    func snapshot() throws {
        var one = ProducerTable()
        one.note(7, last: 10, seen: 1)
        var table = ProducerTable(inheriting: [(low, one)])
        table.note(8, last: 99, seen: 5)
        let bytes = table.snapshot(at: 4096)
        let restored = try #require(ProducerTable.restore(bytes))
        #expect(restored.table == table && restored.position == 4096)
        for count in 0..<bytes.count { #expect(ProducerTable.restore(Array(bytes.prefix(count))) == nil) }
    }

    @Test("silent producers are forgotten")
    func forget() {
        var table = ProducerTable()
        table.note(1, last: 1, seen: 100)
        table.note(2, last: 1, seen: 200)
        table.forget(silentSince: 150)
        #expect(table.highest(1) == nil && table.highest(2) == 1)
    }

    @Test("the header's stretches are read, and malformed ones refused")
    func header() throws {
        let header = try ProducerHeader("00000000000000ff:5+3;1:0+1")
        #expect(
            header.stretches == [
                ProducerHeader.Stretch(producer: 255, first: 5, count: 3),
                ProducerHeader.Stretch(producer: 1, first: 0, count: 1),
            ]
        )
        #expect(header.count == 4)
        for text in ["", "x:1+1", "1:1", "1:+1", "1:1+0", "1:-1+1", "1:1+1;"] {
            #expect(throws: AWSError.invalidArgument("")) { try ProducerHeader(text) }
        }
    }
}
