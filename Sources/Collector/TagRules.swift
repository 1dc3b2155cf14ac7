import AWSProtocol

/// What AWS demands of tags beyond their length.
enum TagRules {
    /// Tags a stream or a consumer has at most.
    static let limit = 50

    /// Letters, digits and white space of any script, and `_ . : / = + - @`; a percent sign passes here and is refused later,
    /// as on AWS.
    static func isValid(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "_", ".", ":", "/", "=", "+", "-", "@", "%": return true
            default:
                switch scalar.properties.generalCategory {
                case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
                    .decimalNumber, .letterNumber, .otherNumber,
                    .spaceSeparator, .lineSeparator, .paragraphSeparator:
                    return true
                default: return false
                }
            }
        }
    }
}

extension Collector {
    /// Refuses characters that no tag may have.
    func checkCharacters(_ texts: some Sequence<String>) throws(AWSError) {
        guard texts.allSatisfy(TagRules.isValid) else {
            throw .invalidArgument(
                "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + "
                    + "- % @."
            )
        }
    }

    /// The tags of a new resource. `resource` is such as "stream NAME".
    func checkedTags(_ tags: [String: String], for resource: String) throws(AWSError) -> [String: String] {
        try checkCharacters(tags.keys)
        try checkCharacters(tags.values)
        return try merged([:], tags, resource)
    }

    /// Refuses what only passed `checkCharacters`. `attempt` is such as "add tags to stream NAME".
    func checkPercent(_ texts: [String], _ attempt: String) throws(AWSError) {
        guard texts.contains(where: { $0.contains("%") }) else { return }
        throw .invalidArgument(
            "Failed to \(attempt) under account \(configuration.account) because some tags contained illegal characters. "
                + "The allowed characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@'."
        )
    }

    /// The tags after some were added.
    func merged(
        _ present: [String: String],
        _ added: [String: String],
        _ resource: String
    ) throws(AWSError) -> [String: String] {
        let subject = "Failed to add tags to \(resource) under account \(configuration.account) because"
        try checkPercent(Array(added.keys) + added.values, "add tags to \(resource)")
        if added.keys.contains(where: { $0.lowercased().hasPrefix("aws:") }) {
            throw .invalidArgument("\(subject) keys that begin with 'aws:' are reserved.")
        }
        let tags = present.merging(added) { $1 }
        guard tags.count <= TagRules.limit else {
            throw .invalidArgument(
                // AWS still names the limit of earlier years.
                "\(subject) a given stream cannot have more than 10 tags associated with it."
            )
        }
        return tags
    }
}
