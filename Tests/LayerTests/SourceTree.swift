import Foundation

/// The package's own files, found from where this file stands.
enum SourceTree {
    /// The folder that holds Package.swift.
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()

    /// One file under Sources.
    struct File {
        /// The folder right under Sources.
        let target: String
        /// Its path from the package's root.
        let path: String
        /// What it says.
        let text: String
    }

    /// Every Swift, C and header file under Sources.
    static func files() throws -> [File] {
        let sources = root.appending(path: "Sources")
        var files: [File] = []
        for target in try FileManager.default.contentsOfDirectory(atPath: sources.path()).sorted() {
            let folder = sources.appending(path: target)
            for path in FileManager.default.enumerator(atPath: folder.path())?.compactMap({ $0 as? String }) ?? []
            where [".swift", ".c", ".h"].contains(where: path.hasSuffix) {
                let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
                files.append(File(target: target, path: "Sources/\(target)/\(path)", text: text))
            }
        }
        return files
    }

    /// The folders right under Sources.
    static func targetFolders() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path()))
    }

    /// Package.swift.
    static func manifest() throws -> String {
        try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
    }
}
