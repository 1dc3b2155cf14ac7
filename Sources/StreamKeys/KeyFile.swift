import AWSProtocol
import ConfigurationFile
import DiskIO
import RecordBatch

/// Keys in one file, JSON with comments, which nobody but its owner may read or change:
///
///     {
///       "alias/orders": { "versions": ["<64 hexadecimal digits, or base64>", "<the newest stands last>"] },
///       "1234abcd-12ab-34cd-56ef-1234567890ab": { "versions": ["..."], "disabled": true }
///     }
///
/// A file with a mistake gives no keys at all: half of them would look like all of them.
struct KeyFile {
    private let path: String
    private var known: (status: KeyFileStatus, set: KeySet)?

    init(_ path: String) { self.path = path }

    /// What stands there now.
    mutating func read() -> KeySet {
        do throws(DiskError) {
            let status = try KeyFileStatus(path)
            if let known, known.status == status { return known.set }
            let set = Self.read(path, status)
            known = (status, set)
            return set
        } catch {
            known = nil
            return .unreadable(error.description)
        }
    }

    private static func read(_ path: String, _ status: KeyFileStatus) -> KeySet {
        if let objection = status.objection(path) { return .unreadable(objection) }
        do throws(ConfigurationProblems) {
            let findings = ConfigurationFindings(try SourceText(file: path))
            let set = parse(findings)
            try findings.throwProblems()
            return set
        } catch {
            return .unreadable(error.description)
        }
    }

    /// Findings name places, never what stands there: it may be a key.
    private static func parse(_ findings: ConfigurationFindings) -> KeySet {
        var set = KeySet()
        for key in findings.members() ?? [] {
            let path = key.name.hasPrefix("alias/") ? String(key.name.dropFirst(6)) : key.name
            guard let name = KeyName.kept(as: path), name.hasPrefix("alias/") == key.name.hasPrefix("alias/") else {
                findings.problem(at: key.offset, key.name, "is no key's name: expected a UUID, or alias/NAME")
                continue
            }
            if set.keys[name] != nil { findings.problem(at: key.offset, key.name, "is given twice; keep one of them") }
            guard let members = key.value.members else {
                findings.problem(at: key.offset, key.name, #"expected { "versions": [...] }"#)
                continue
            }
            if !members.contains(where: { $0.name == "versions" }) {
                findings.problem(at: key.offset, key.name, "has no `versions`")
            }
            for member in members {
                switch member.name {
                case "versions": add(member, "\(key.name).versions", to: name, &set, findings)
                case "disabled":
                    if case .bool(let isDisabled) = member.value {
                        if isDisabled { set.disable(name) }
                    } else {
                        findings.problem(at: member.offset, "\(key.name).disabled", "expected true or false")
                    }
                default:
                    findings.problem(
                        at: member.offset,
                        "\(key.name).\(member.name)",
                        "expected `versions` or `disabled`"
                    )
                }
            }
        }
        return set
    }

    private static func add(
        _ member: JSONValue.Member,
        _ keyPath: String,
        to name: String,
        _ set: inout KeySet,
        _ findings: ConfigurationFindings
    ) {
        guard let list = member.value.array, !list.isEmpty else {
            return findings.problem(at: member.offset, keyPath, "expected a list of keys, the newest last")
        }
        for (index, text) in list.enumerated() {
            guard let root = text.string.flatMap({ KeyText.root(text: Array($0.utf8)) }) else {
                findings.problem(
                    at: member.offset,
                    "\(keyPath)[\(index)]",
                    "is no key: expected 64 hexadecimal digits, or 32 bytes as base64"
                )
                continue
            }
            set.add(.usable(root), number: index + 1, to: name)
        }
    }
}
