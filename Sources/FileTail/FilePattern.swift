import Glibc

/// A pattern taken apart: alternatives from `{a,b}`, each a list of path parts.
struct FilePattern {
    /// One part of a path.
    enum Part: Hashable {
        case literal(String)
        case glob(String)
        /// `**`: any number of folders, also none.
        case anyFolders
    }

    static let compressed = [".gz", ".bz2", ".zip", ".xz", ".zst", ".lz4"]

    let alternatives: [[Part]]

    init(_ text: String) throws(FileTailError) {
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw .badPattern(text, reason: "does not start with /; write the whole path")
        }
        guard text.utf8.last != UInt8(ascii: "/") else {
            throw .badPattern(text, reason: "names a folder; end it with a file name or *")
        }
        guard let expanded = Self.expandBraces(Array(text.utf8)), expanded.count <= 1000 else {
            throw .badPattern(text, reason: "has braces that do not pair, or too many alternatives")
        }
        var seen: Set<[Part]> = []
        var alternatives: [[Part]] = []
        for bytes in expanded {
            let parts = bytes.split(separator: UInt8(ascii: "/")).map { Self.part(Array($0)) }
            guard let last = parts.last, last != .anyFolders else {
                throw .badPattern(text, reason: "ends in **; add a file name or *")
            }
            if seen.insert(parts).inserted { alternatives.append(parts) }
        }
        self.alternatives = alternatives
    }

    /// Whether a name ends like those of compressed files.
    static func isCompressed(_ name: String) -> Bool {
        let lower = name.lowercased()
        return compressed.contains { lower.hasSuffix($0) }
    }

    static func matches(_ name: String, _ glob: String) -> Bool { fnmatch(glob, name, 0) == 0 }

    private static func part(_ bytes: [UInt8]) -> Part {
        let text = String(decoding: bytes, as: UTF8.self)
        if text == "**" { return .anyFolders }
        return bytes.contains(where: { "*?[\\".utf8.contains($0) }) ? .glob(text) : .literal(text)
    }

    /// All texts that `{a,b}` stands for, innermost braces too; nil when braces do not pair.
    private static func expandBraces(_ text: [UInt8]) -> [[UInt8]]? {
        var depth = 0
        var start = 0
        var commas: [Int] = []
        var index = 0
        var inClass = false
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "[") where !inClass && text[(index + 1)...].contains(UInt8(ascii: "]")): inClass = true
            case UInt8(ascii: "]"): inClass = false
            case _ where inClass: break
            case UInt8(ascii: "{"):
                if depth == 0 { (start, commas) = (index, []) }
                depth += 1
            case UInt8(ascii: ",") where depth == 1: commas.append(index)
            case UInt8(ascii: "}"):
                depth -= 1
                if depth < 0 { return nil }
                if depth == 0 {
                    var result: [[UInt8]] = []
                    let bounds = [start] + commas + [index]
                    for (from, to) in zip(bounds, bounds.dropFirst()) {
                        let choice = Array(text[..<start] + text[(from + 1)..<to] + text[(index + 1)...])
                        guard let expanded = expandBraces(choice), result.count < 1000 else { return nil }
                        result += expanded
                    }
                    return result
                }
            default: break
            }
            index += 1
        }
        return depth == 0 ? [text] : nil
    }
}
