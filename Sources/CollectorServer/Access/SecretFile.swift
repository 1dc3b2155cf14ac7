import ConfigurationFile

/// A file that holds one secret: its first line, without the blanks around it.
enum SecretFile {
    /// Why a file can't be used; never says what stands in it.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    static func read(_ path: String) throws(Problem) -> String {
        let bytes: [UInt8]
        do {
            bytes = try SourceText(file: path).bytes
        } catch {
            throw Problem(description: error.problems.map { "\(path): \($0.message)" }.joined(separator: "; "))
        }
        let line = bytes.prefix { $0 != 0x0A }.filter { $0 != 0x0D && $0 != 0x20 && $0 != 0x09 }
        guard let text = String(validating: line, as: UTF8.self), !text.isEmpty else {
            throw Problem(description: "\(path): its first line holds no secret")
        }
        return text
    }
}
