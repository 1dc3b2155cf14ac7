import Collector
import CollectorServer
import ConfigurationFile
import Glibc

/// Where a setting may stand: the option, then the variable `MILLRACE_…`, then the configuration file.
struct SettingSources {
    /// What stands somewhere, and where, for messages.
    struct Found {
        var text: String
        /// `--listen`, `MILLRACE_LISTEN` or `/etc/millrace/collector.json: listen`
        var place: String
    }

    /// The file that is used, if one is.
    let path: String?
    private var file: [String: Found] = [:]
    /// The numbers of the file's `limits`, where it is an object.
    private(set) var limits: ServiceLimits?

    /// Reads the file that `--config` or MILLRACE_CONFIG names, if one does. Its keys are the options' names in camel case,
    /// and those of access, which `AccessFiles` reads again. Throws all that is wrong with it at once.
    init(config option: String?, keys names: [String]) throws(ConfigurationProblems) {
        path = option ?? Self.variable("config")
        guard let path else { return }
        let findings = ConfigurationFindings(try SourceText(file: path))
        if let members = findings.members() {
            var keys = KeyReader(members, at: "", offset: 0, findings)
            for name in names {
                let key = Self.key(name)
                if name == "limits", let members = keys.member(key)?.value.members {
                    limits = LimitSettings.read(members, at: key, findings)
                    continue
                }
                if let text = keys.text(key) { file[name] = Found(text: text, place: "\(path): \(key)") }
            }
            _ = AccessSettings(reading: &keys, folder: AccessFiles.folder(of: path))
            keys.finish()
        }
        try findings.throwProblems()
    }

    /// The first source that has it; an empty option or variable counts as none.
    func find(_ name: String, _ option: String?) -> Found? {
        if let option, !option.isEmpty { return Found(text: option, place: "--\(name)") }
        if let text = Self.variable(name) { return Found(text: text, place: Self.variableName(name)) }
        return file[name]
    }

    /// `data-dir` is `MILLRACE_DATA_DIR`.
    private static func variableName(_ name: String) -> String {
        "MILLRACE_" + String(name.map { $0 == "-" ? "_" : $0 }).uppercased()
    }

    private static func variable(_ name: String) -> String? {
        getenv(variableName(name)).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `data-dir` is `dataDir`.
    static func key(_ name: String) -> String {
        let words = name.split(separator: "-")
        return words[0] + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
