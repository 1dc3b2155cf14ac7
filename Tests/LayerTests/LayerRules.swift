import Foundation

/// What a source text imports and says, held against the house's rules. Pure: texts in, violations out.
enum LayerRules {
    /// The longest a source file may be, in lines.
    static let longestFile = 500
    /// Words that have no place under Sources.
    static let forbiddenWords = ["TODO", "FIXME", "fatalError(", "try!"]

    /// Each violation in the imports of one file of `target`, as a sentence.
    static func importViolations(in text: String, of target: String, file: String) -> [String] {
        guard let layer = LayerTable.layers[target] else { return ["\(file): target \(target) is not in the table"] }
        var found: [String] = []
        for module in imports(of: text) {
            for rule in LayerTable.reserved where rule.matches(module) && !rule.allowed.contains(target) {
                found.append("\(file): \(target) imports \(module), but \(rule.what) has no place there")
            }
            guard let other = LayerTable.layers[module], module != target else { continue }
            let insideALayer = LayerTable.arrowsInsideALayer[target]?.contains(module) ?? false
            if other >= layer && !insideALayer {
                found.append("\(file): \(target) (layer \(layer)) imports \(module) (layer \(other)): not downwards")
            }
        }
        return found
    }

    /// Each violation of the rules about a file's own text.
    static func textViolations(in text: String, file: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let count = text.hasSuffix("\n") ? lines.count - 1 : lines.count
        var found = count > longestFile ? ["\(file): \(count) lines, more than \(longestFile)"] : []
        for (index, line) in lines.enumerated() {
            for word in forbiddenWords where line.contains(word) { found.append("\(file):\(index + 1): \(word)") }
        }
        return found
    }

    /// The modules that a Swift text imports, comments and string literals left out.
    static func imports(of text: String) -> [String] {
        let attributes = #"(?:@[A-Za-z_]+(?:\([^)]*\))?\s+)*"#
        let access = #"(?:(?:public|package|internal|fileprivate|private)\s+)?"#
        let kind = #"(?:(?:typealias|struct|class|enum|protocol|let|var|func)\s+)?"#
        let pattern = "^\\s*\(attributes)\(access)import\\s+\(kind)([A-Za-z_][A-Za-z0-9_]*)"
        guard let statement = try? Regex(pattern, as: (Substring, Substring).self) else { return [] }
        return code(of: text).split(whereSeparator: { $0 == "\n" || $0 == ";" })
            .compactMap { $0.prefixMatch(of: statement).map { String($0.output.1) } }
    }

    /// The targets that a manifest declares, tests left out.
    static func targets(ofManifest text: String) -> Set<String> {
        let manifest = code(of: text, keepingStrings: true)
        let declarations =
            /(?:\b(?:library|program)\(\s*|\.(?:target|executableTarget|systemLibrary)\(\s*name:\s*)"([^"]+)"/
        return Set(manifest.matches(of: declarations).map { String($0.output.1) })
    }

    /// The text without its comments and, unless they are kept, without the contents of its string literals.
    static func code(of text: String, keepingStrings: Bool = false) -> String {
        var out = ""
        var rest = text[...]
        while let character = rest.first {
            if rest.hasPrefix("//") {
                rest = rest[(rest.firstIndex(of: "\n") ?? rest.endIndex)...]
            } else if rest.hasPrefix("/*") {
                rest = afterBlockComment(rest)
            } else if rest.hasPrefix("\"\"\"") {
                let end = rest.dropFirst(3).firstRange(of: "\"\"\"")?.upperBound ?? rest.endIndex
                if keepingStrings { out += rest[..<end] }
                rest = rest[end...]
            } else if character == "\"" {
                let end = afterString(rest)
                if keepingStrings { out += rest[..<end] }
                rest = rest[end...]
            } else {
                out.append(character)
                rest = rest.dropFirst()
            }
        }
        return out
    }

    private static func afterBlockComment(_ text: Substring) -> Substring {
        var (rest, depth) = (text, 0)
        while !rest.isEmpty {
            if rest.hasPrefix("/*") {
                depth += 1
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("*/") {
                depth -= 1
                rest = rest.dropFirst(2)
                if depth == 0 { return rest }
            } else {
                rest = rest.dropFirst()
            }
        }
        return rest
    }

    private static func afterString(_ text: Substring) -> String.Index {
        var at = text.index(after: text.startIndex)
        while at < text.endIndex, text[at] != "\"", text[at] != "\n" {
            if text[at] == "\\" { at = text.index(after: at) }
            if at < text.endIndex { at = text.index(after: at) }
        }
        return at < text.endIndex ? text.index(after: at) : at
    }
}
