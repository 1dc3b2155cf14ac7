/// A file's bytes as programs see them, and what of them is on the medium.
///
/// ```
/// durable ── change 1 ── change 2 ── … ── change n  =  bytes     (but for what a failed sync has dropped)
/// ```
///
/// A sync applies all changes to `durable`. A power cut applies some. The rules of which:
/// - A sector (512 bytes) is written whole or not at all, and holds what the page cache held at some moment: the first k of
///   the changes that touch it. Each sector has its own k, so writes are lost, torn and reordered.
/// - The size, with the truncations, is that after the first j changes. Where it reaches beyond the bytes that survived there
///   are zeros. Bytes that a surviving truncation cut off are never seen again, and what was written where one that did not
///   survive had cut did not survive either.
struct SimulatedContents {
    static let sector = 512

    private struct Change {
        enum Kind {
            case write(at: Int, [UInt8])
            case truncate(to: Int)
        }

        var kind: Kind
        /// The file's size after it.
        var size: Int
    }

    /// What programs read.
    private(set) var bytes: [UInt8] = []
    /// What no power cut can take.
    private(set) var durable: [UInt8] = []
    /// Since the last sync, oldest first.
    private var changes: [Change] = []

    /// Whether a power cut could take something.
    var isDirty: Bool { !changes.isEmpty }

    mutating func write(_ new: [UInt8], at offset: Int) {
        if new.isEmpty { return }
        new.withUnsafeBytes { Self.put($0, at: offset, into: &bytes) }
        changes.append(Change(kind: .write(at: offset, new), size: bytes.count))
    }

    mutating func truncate(to size: Int) {
        if size == bytes.count { return }
        Self.resize(&bytes, to: size)
        changes.append(Change(kind: .truncate(to: size), size: size))
    }

    /// Makes the changes and the size durable.
    mutating func sync() {
        Self.apply(changes, to: &durable)
        // After a failed sync the size is durable all the same, with zeros where the dropped bytes were.
        Self.resize(&durable, to: bytes.count)
        changes = []
    }

    /// A sync that failed: by chance some sectors are durable. The others never will be, though programs read them on.
    mutating func failSync(_ dice: inout Dice) {
        if changes.isEmpty { return }
        // Truncations are the file system's own data, which its journal keeps.
        let lastCut = changes.lastIndex { if case .truncate = $0.kind { true } else { false } }
        let least = lastCut.map { $0 + 1 } ?? 0
        let count = least + dice.below(changes.count - least + 1)
        durable = surviving(anySectors(&dice), count: count, size: size(after: count))
        changes = []
    }

    /// A power cut: what survived is what there is, and durable.
    mutating func crash(_ dice: inout Dice) {
        if isDirty { durable = survivors(&dice) }
        bytes = durable
        changes = []
    }

    /// The page cache lets go of clean pages: what a failed sync dropped is read from the medium again.
    mutating func evict() {
        let size = bytes.count
        bytes = durable
        Self.apply(changes, to: &bytes)
        Self.resize(&bytes, to: size)
    }

    /// Turns one bit over, in the cache and on the medium.
    mutating func flip(bit: Int) {
        let (byte, mask) = (bit / 8, UInt8(1) << UInt8(bit % 8))
        if byte < bytes.count { bytes[byte] ^= mask }
        if byte < durable.count { durable[byte] ^= mask }
    }
}

// What a power cut leaves.
extension SimulatedContents {
    private func survivors(_ dice: inout Dice) -> [UInt8] {
        let count = changes.count
        switch dice.below(6) {
        case 0:  // nothing
            return durable
        case 1:  // everything
            var image = durable
            Self.apply(changes, to: &image)
            return image
        case 2:  // the size without the bytes
            return surviving([:], count: count, size: size(after: count))
        case 3, 4:  // in order, up to a change that may be torn
            return survivorsInOrder(&dice)
        default:  // in any order
            let kept = dice.happens(0.5) ? count : dice.below(count + 1)
            return surviving(anySectors(&dice), count: kept, size: size(after: kept))
        }
    }

    private func survivorsInOrder(_ dice: inout Dice) -> [UInt8] {
        let last = 1 + dice.below(changes.count)
        var versions: [Int: Int] = [:]
        for (sector, touches) in touches() { versions[sector] = touches.last { $0 < last } }
        var size = size(after: last)
        if case .write(let offset, let new) = changes[last - 1].kind {
            let sectors = Self.sectors(offset, new.count)
            if dice.happens(0.5) {
                // Its first sectors.
                let kept = dice.below(sectors.count + 1)
                for sector in sectors.prefix(kept) { versions[sector] = last }
                let end = min((sectors.lowerBound + kept) * Self.sector, offset + new.count)
                if dice.happens(0.5) { size = min(size, max(end, self.size(after: last - 1))) }
            } else {
                for sector in sectors where dice.happens(0.5) { versions[sector] = last }
            }
        }
        return dice.happens(0.75)
            ? surviving(versions, count: last, size: size)
            : surviving(versions, count: last - 1, size: self.size(after: last - 1))
    }

    /// For each sector that was touched the last change that it holds; nothing for none.
    private func anySectors(_ dice: inout Dice) -> [Int: Int] {
        var versions: [Int: Int] = [:]
        // In order, for the dice.
        for (sector, touches) in touches().sorted(by: { $0.key < $1.key }) {
            switch dice.below(5) {
            case 0, 1: break
            case 2, 3: versions[sector] = touches.last
            default: versions[sector] = touches[dice.below(touches.count)]
            }
        }
        return versions
    }

    /// For each sector the numbers of the changes that wrote to it, from 1, rising.
    private func touches() -> [Int: [Int]] {
        var touches: [Int: [Int]] = [:]
        for (index, change) in changes.enumerated() {
            guard case .write(let offset, let new) = change.kind else { continue }
            for sector in Self.sectors(offset, new.count) { touches[sector, default: []].append(index + 1) }
        }
        return touches
    }

    private func size(after count: Int) -> Int { count == 0 ? durable.count : changes[count - 1].size }

    /// The file of `size` in which the truncations of the first `count` changes survived, and each sector up to its version.
    private func surviving(_ versions: [Int: Int], count: Int, size: Int) -> [UInt8] {
        var cuts: [(number: Int, at: Int)] = []
        for (index, change) in changes.enumerated() {
            if case .truncate(let at) = change.kind { cuts.append((index + 1, at)) }
        }
        func version(_ sector: Int) -> Int {
            var version = versions[sector] ?? 0
            for cut in cuts {
                if cut.number <= count, cut.at < (sector + 1) * Self.sector { version = max(version, cut.number) }
                // The rest of the cut's own sector is overwritten in place, so that one may be ahead of the size.
                if cut.number > count, cut.at <= sector * Self.sector { version = min(version, cut.number - 1) }
            }
            return version
        }
        var image = durable
        for (index, change) in changes.enumerated() {
            switch change.kind {
            case .write(let offset, let new):
                for sector in Self.sectors(offset, new.count) where version(sector) > index {
                    let start = max(offset, sector * Self.sector)
                    let end = min(offset + new.count, (sector + 1) * Self.sector)
                    new.withUnsafeBytes { new in
                        let piece = UnsafeRawBufferPointer(rebasing: new[(start - offset)..<(end - offset)])
                        Self.put(piece, at: start, into: &image)
                    }
                }
            case .truncate(let at):
                if index < count {
                    if image.count > at { Self.resize(&image, to: at) }
                } else if version(at / Self.sector) > index {
                    let end = min(image.count, (at / Self.sector + 1) * Self.sector)
                    if at < end { for byte in at..<end { image[byte] = 0 } }
                }
            }
        }
        Self.resize(&image, to: size)
        return image
    }

    private static func apply(_ changes: [Change], to image: inout [UInt8]) {
        for change in changes {
            switch change.kind {
            case .write(let offset, let new): new.withUnsafeBytes { put($0, at: offset, into: &image) }
            case .truncate(let size): resize(&image, to: size)
            }
        }
    }

    private static func sectors(_ offset: Int, _ count: Int) -> Range<Int> {
        offset / sector..<(offset + count + sector - 1) / sector
    }

    private static func put(_ new: UnsafeRawBufferPointer, at offset: Int, into image: inout [UInt8]) {
        if offset > image.count { resize(&image, to: offset) }
        if offset == image.count {
            image.append(contentsOf: new)
            return
        }
        if image.count < offset + new.count { resize(&image, to: offset + new.count) }
        image.withUnsafeMutableBytes { image in
            UnsafeMutableRawBufferPointer(rebasing: image[offset..<offset + new.count]).copyMemory(from: new)
        }
    }

    private static func resize(_ image: inout [UInt8], to size: Int) {
        if image.count > size {
            image.removeLast(image.count - size)
        } else if image.count < size {
            image.append(contentsOf: repeatElement(0, count: size - image.count))
        }
    }
}
