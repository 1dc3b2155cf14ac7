import AWSProtocol
import ConfigurationFile
import Glibc

/// The files that say who may do what: collector.json, where there is one, the credentials, and files with secrets.
public struct AccessFiles: Sendable {
    /// collector.json; nil when none is used.
    public var configuration: String?
    /// Keys of the account itself.
    public var credentials: String
    /// The collector's own account, 12 digits.
    public var account: String
    /// The other keys of collector.json: known, and read at the start alone.
    public var otherKeys: [String]

    /// Files that may not be there yet.
    public init(configuration: String?, credentials: String, account: String, otherKeys: [String]) {
        self.configuration = configuration
        self.credentials = credentials
        self.account = account
        self.otherKeys = otherKeys
    }

    /// What one reading brought.
    public struct Reading: Sendable {
        /// The keys, nil when something is wrong.
        public var keys: AccessKeys?
        /// Everything that is wrong, a line each.
        public var problems: [String] = []
        /// What is accepted and may not do what was meant, a line each.
        public var notices: [String] = []
        /// Values of the other keys, to see whether they were changed.
        var others: [String: JSONValue] = [:]
        /// Every file that was looked at.
        var paths: Set<String> = []
    }

    /// Reads all of them. Without a credentials file there are no keys of the account.
    ///
    /// - Parameter expectingKeys: false when the first key is still to be made.
    public func read(expectingKeys: Bool = true) -> Reading {
        var reading = Reading()
        reading.paths.insert(credentials)
        var settings = AccessSettings()
        if let configuration {
            reading.paths.insert(configuration)
            do throws(ConfigurationProblems) {
                let findings = ConfigurationFindings(try SourceText(file: configuration))
                if let members = findings.members() {
                    var reader = KeyReader(members, at: "", offset: 0, findings)
                    for key in otherKeys { reading.others[key] = reader.member(key)?.value }
                    settings = AccessSettings(reading: &reader, folder: Self.folder(of: configuration))
                    reader.finish()
                }
                reading.paths.formUnion(settings.secretFiles)
                reading.notices = findings.notices.map(\.description)
                let open = settings.secretFiles + (settings.holdsSecrets ? [configuration] : [])
                reading.notices += open.filter(FileMark.isOpenToAll).map(Self.openNotice)
                try findings.throwProblems()
            } catch {
                reading.problems += error.problems.map(\.description)
            }
        }
        var file: CredentialsFile?
        do throws(CredentialsFile.Problem) {
            file = try CredentialsFile(path: credentials)
            if file != nil, FileMark.isOpenToAll(credentials) { reading.notices.append(Self.openNotice(credentials)) }
        } catch {
            reading.problems.append(error.description)
        }
        guard reading.problems.isEmpty else { return reading }
        do throws(ConfigurationProblems) {
            let keys = try AccessKeys(settings, credentials: file, account: account)
            if keys.count > 0 || !expectingKeys {
                reading.keys = keys
            } else {
                reading.problems.append(
                    "\(credentials): holds no aws_access_key_id with an aws_secret_access_key. "
                        + "Add one, or remove the file and a new key is made at the next start."
                )
            }
        } catch {
            reading.problems += error.problems.map(\.description)
        }
        return reading
    }

    private static func openNotice(_ path: String) -> String {
        "\(path): every user of this machine may read its secrets; chmod o-r takes that away"
    }

    /// The folder of a file.
    public static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }
}

/// What tells one state of a file from another without reading it.
struct FileMark: Equatable {
    private var numbers: [Int]

    /// Whether every user may read it.
    static func isOpenToAll(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
    }

    /// A file that is not there has a mark of its own.
    init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            numbers = [Int(errno)]
            return
        }
        numbers = [
            Int(bitPattern: UInt(status.st_dev)), Int(bitPattern: UInt(status.st_ino)), status.st_size,
            status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
        ]
    }
}
