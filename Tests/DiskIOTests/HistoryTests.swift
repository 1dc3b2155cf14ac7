import DiskIO
import Testing

/// Random histories, held against rules that say nothing of how the disk comes to its answers.
@Suite("after a power cut, whatever was done before")
struct HistoryTests {
    /// The sector at an index, with zeros behind the end.
    private static func sector(_ bytes: [UInt8], _ index: Int) -> [UInt8] {
        let start = min(index * 512, bytes.count)
        let piece = Array(bytes[start..<min(start + 512, bytes.count)])
        return piece + [UInt8](repeating: 0, count: 512 - piece.count)
    }

    @Test("each sector of a file is as the file was at some moment since its last sync")
    func sectors() throws {
        var (cuts, partial) = (0, 0)
        for seed in [UInt64.random(in: .min ... .max)] + (0..<200) {
            var random = Seeded(state: seed)
            let disk = SimulatedDisk(seed: seed)
            var file = try disk.open("/a", .createNew)
            try disk.syncFolder("/")
            // What programs saw since the last sync.
            var moments: [[UInt8]] = [[]]
            for _ in 0..<60 {
                var now = moments[moments.count - 1]
                switch random.below(12) {
                case 0..<7:
                    let (bytes, offset) = (random.bytes(1 + random.below(1500)), random.below(4000))
                    try file.write(bytes, at: UInt64(offset))
                    now += [UInt8](repeating: 0, count: max(0, offset + bytes.count - now.count))
                    now.replaceSubrange(offset..<offset + bytes.count, with: bytes)
                    moments.append(now)
                case 7:
                    let size = random.below(5000)
                    try file.truncate(to: UInt64(size))
                    now = Array(now.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - now.count))
                    moments.append(now)
                case 8, 9:
                    try file.sync()
                    moments = [now]
                    try #require(disk.durable("/a") == now, "seed \(seed)")
                case 10:
                    disk.kill()
                    file = try disk.open("/a", .write)
                default:
                    disk.crash()
                    cuts += 1
                    file = try disk.open("/a", .write)
                    let found = try file.all()
                    if moments.count == 1 { try #require(found == now, "seed \(seed): synced bytes are gone") }
                    if found != now { partial += 1 }
                    let sizes = moments.map(\.count)
                    let isSize = sizes.contains(found.count) || found.count % 512 == 0 && found.count < sizes.max() ?? 0
                    try #require(isSize, "seed \(seed): \(found.count) bytes, of \(sizes)")
                    for index in 0..<(found.count + 511) / 512 {
                        let (sector, rest) = (Self.sector(found, index), min(512, found.count - index * 512))
                        let isOfAMoment = moments.contains {
                            Self.sector($0, index).prefix(rest) == sector.prefix(rest)
                        }
                        try #require(isOfAMoment, "seed \(seed): sector \(index) was never so")
                    }
                    moments = [found]
                }
                try #require(try file.all() == moments[moments.count - 1], "seed \(seed)")
            }
        }
        #expect(cuts > 500 && partial > 200, "\(cuts) power cuts, \(partial) of them lost something")
    }

    @Test("each folder is as it was at some moment since its last sync, and a moved file is in one place")
    func folders() throws {
        var partial = 0
        for seed in [UInt64.random(in: .min ... .max)] + (0..<300) {
            var random = Seeded(state: seed)
            let disk = SimulatedDisk(seed: seed)
            let folders = ["/f", "/g", "/h"]
            for folder in folders { _ = try disk.makeFolder(folder) }
            try disk.syncFolder("/")
            func listing(_ folder: String) throws -> [String: [UInt8]] {
                var names: [String: [UInt8]] = [:]
                for name in try disk.list(folder) { names[name] = try disk.bytes(folder + "/" + name) }
                return names
            }
            var moments = folders.map { _ in [[String: [UInt8]]()] }
            // Files that were not removed or replaced since they last were durable.
            var steady: Set<[UInt8]> = []
            var next = 0
            for _ in 0..<60 {
                let (from, to) = (random.below(3), random.below(3))
                let (source, target) = (
                    folders[from] + "/" + random.pick(["a", "b", "c"]),
                    folders[to] + "/" + random.pick(["a", "b", "c"])
                )
                switch random.below(10) {
                case 0, 1, 2:
                    guard !disk.exists(source) else { continue }
                    next += 1
                    // Each file's bytes are its own.
                    try disk.write(source, [UInt8(next >> 8), UInt8(next & 0xFF)]).sync()
                case 3, 4, 5:
                    guard disk.exists(source), source != target else { continue }
                    if disk.exists(target) { steady.remove(try disk.bytes(target)) }
                    try disk.move(source, to: target)
                case 6:
                    if disk.exists(source) { steady.remove(try disk.bytes(source)) }
                    try disk.remove(source)
                case 7, 8:
                    try disk.syncFolder(folders[from])
                    let now = try listing(folders[from])
                    moments[from] = [now]
                    steady.formUnion(now.values)
                default:
                    let before = try folders.map(listing)
                    disk.crash()
                    let after = try folders.map(listing)
                    if before != after { partial += 1 }
                    for (index, found) in after.enumerated() {
                        try #require(
                            moments[index].contains(found),
                            "seed \(seed): \(folders[index]) was never \(found)\n\(disk.trace.joined(separator: "\n"))"
                        )
                    }
                    let all = after.flatMap(\.values)
                    try #require(Set(all).count == all.count, "seed \(seed): a file has two names")
                    try #require(steady.isSubset(of: all), "seed \(seed): a durable file is gone")
                    steady = Set(all)
                    moments = after.map { [$0] }
                }
                for (index, folder) in folders.enumerated() {
                    let now = try listing(folder)
                    if moments[index].last != now { moments[index].append(now) }
                }
            }
        }
        #expect(partial > 300, "\(partial) power cuts lost something")
    }
}
