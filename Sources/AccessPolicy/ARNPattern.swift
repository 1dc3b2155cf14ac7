/// An ARN of a request, cut once: `arn:partition:service:region:account:resource`.
struct ARNText: Sendable {
    let bytes: [UInt8]
    /// Where the first five colons stand; empty for anything but an ARN.
    let colons: [Int]

    init(_ text: String) {
        bytes = Array(text.utf8)
        var colons: [Int] = []
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: ":") {
            colons.append(index)
            if colons.count == 5 { break }
        }
        self.colons = colons.count == 5 && text.hasPrefix("arn:") ? colons : []
    }

    /// The parts between the colons; the last one may hold more colons.
    func segment(_ index: Int) -> ArraySlice<UInt8> {
        let start = index == 0 ? 0 : colons[index - 1] + 1
        return bytes[start..<(index == 5 ? bytes.count : colons[index])]
    }
}

/// A pattern for ARNs, matched part by part: a `*` never reaches over a colon, but in the last part.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
struct ARNPattern: Sendable, Equatable {
    /// None for `*`, which matches requests that name no resource too.
    private let segments: [Wildcards]?

    /// `*`
    static let anything = ARNPattern(segments: nil)

    private init(segments: [Wildcards]?) { self.segments = segments }

    /// Why a text is no pattern for ARNs.
    enum Problem: Error, Equatable {
        case noARN
        case variable(PolicyVariable.Problem)

        var message: String {
            switch self {
            case .noARN: "is neither an ARN nor \"*\""
            case .variable(let problem): problem.message
            }
        }
    }

    /// Reads a pattern; missing parts at the end count as `*`.
    init(_ text: String, _ meanings: Wildcards.Meanings) throws(Problem) {
        if text == "*" {
            segments = nil
            return
        }
        let parts = Self.parts(text)
        guard parts.count >= 2, parts[0] == "arn" else { throw .noARN }
        var segments: [Wildcards] = []
        for part in parts {
            do {
                segments.append(try Wildcards(part, meanings))
            } catch {
                throw .variable(error)
            }
        }
        while segments.count < 6 { segments.append(.anything) }
        self.segments = segments
    }

    func matches(_ arn: ARNText, _ request: AccessRequest) -> Bool {
        guard let segments else { return true }
        guard !arn.colons.isEmpty else { return false }
        // What differs most stands at the end.
        for index in (0..<6).reversed() where !segments[index].matches(arn.segment(index), request) { return false }
        return true
    }

    /// Whether some request could make the ARN match.
    func mayMatch(_ arn: ARNText) -> Bool {
        guard let segments else { return true }
        return !arn.colons.isEmpty && (0..<6).allSatisfy { segments[$0].mayMatch(arn.segment($0)) }
    }

    /// At most six; the colon of `${aws:username}` parts nothing.
    private static func parts(_ text: String) -> [String] {
        var parts = [""]
        var depth = 0
        var last: Character = " "
        for character in text {
            if character == "{", last == "$" { depth += 1 }
            if character == "}", depth > 0 { depth -= 1 }
            if character == ":", depth == 0, parts.count < 6 {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
            last = character
        }
        return parts
    }
}
