/// How names of rotated files relate to the name of the live one.
enum FileName {
    static func last(_ path: String) -> Substring {
        guard let slash = path.lastIndex(of: "/") else { return path[...] }
        return path[path.index(after: slash)...]
    }

    static func folder(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// Whether `path` reads like a rotation or a backup of `original`: `app.log` and `app.log.1`, `app.log-20260101`,
    /// `app-2026.log`, `app.1.log`. With the same name in another folder too.
    static func isRotation(_ path: String, of original: String) -> Bool {
        let name = last(path)
        let base = last(original)
        if name == base { return path != original }
        if continues(name, base) { return true }
        guard let dot = base.lastIndex(of: "."), dot != base.startIndex else { return false }
        let ending = base[dot...]
        if name.hasSuffix(ending), continues(name.dropLast(ending.count), base[..<dot]) { return true }
        return numbered(name, base)
    }

    /// The paths that `path` may be a rotation of, judged by its name alone: what was put in begins with a digit, or is a
    /// word that rotations use. `access-error.log` is a file of its own beside `access.log`.
    static func possibleOriginals(_ path: String) -> [String] {
        let name = last(path)
        let folder = String(path.dropLast(name.count))
        var result: [String] = []
        let ending = name.lastIndex(of: ".").map { name[$0...] } ?? ""
        for index in name.indices.dropFirst() where "._-~".contains(name[index]) {
            let inserted = name[name.index(after: index)...]
            if isSuffix(inserted) { result.append(folder + name[..<index]) }
            if !ending.isEmpty, index < ending.startIndex, isSuffix(inserted.dropLast(ending.count)) {
                result.append(folder + name[..<index] + ending)
            }
        }
        return result
    }

    /// Whether rotations append this, behind a separator.
    private static func isSuffix(_ text: Substring) -> Bool {
        guard let first = text.first else { return true }
        let word = text.prefix { !"._-~".contains($0) }
        return first.isNumber || ["old", "bak", "backup", "prev", "previous", "orig", "save", "last"].contains(word)
    }

    /// `base` followed by a separator and something.
    private static func continues(_ name: Substring, _ base: Substring) -> Bool {
        guard name.count > base.count, name.hasPrefix(base) else { return false }
        return "._-~".contains(name[name.index(name.startIndex, offsetBy: base.count)])
    }

    /// `app.log.1` and `app.log.2`: the same but for the number at the end, which has to be larger.
    private static func numbered(_ name: Substring, _ base: Substring) -> Bool {
        guard let dot = name.lastIndex(of: "."), let other = base.lastIndex(of: ".") else { return false }
        guard let number = Int(name[name.index(after: dot)...]), let before = Int(base[base.index(after: other)...])
        else { return false }
        return number > before && name[..<dot] == base[..<other]
    }
}
