/// Names finished files as Amazon Data Firehose names its objects:
/// `<evaluated prefix><stream>-<version>-<yyyy>-<MM>-<dd>-<HH>-<mm>-<ss>-<uuid><extension>`.
public struct ObjectName: Sendable, Equatable {
    /// What stands before the name.
    public var prefix: SinkPrefix
    /// The delivery stream, or whatever else writes here.
    public var stream: String
    /// The configuration's version.
    public var version: String
    /// With its dot, or empty.
    public var fileExtension: String

    /// How to name files.
    public init(prefix: SinkPrefix, stream: String, version: String, fileExtension: String = "") {
        self.prefix = prefix
        self.stream = stream
        self.version = version
        self.fileExtension = fileExtension
    }

    /// The name, relative to the sink's folder, of a file whose oldest record arrived at `milliseconds` since 1970.
    /// Throws `SinkError` with code `unsafeName` when it would leave the folder.
    public func make(
        arrivalMilliseconds milliseconds: Int64,
        using generator: inout some RandomNumberGenerator
    ) throws(SinkError) -> SinkPath {
        let time = CivilTime(milliseconds: milliseconds)
        let evaluated = try prefix.evaluate(at: time, using: &generator)
        let stamp = [
            (time.year, 4), (time.month, 2), (time.day, 2), (time.hour, 2), (time.minute, 2), (time.second, 2),
        ]
        .map { CivilTime.padded($0, $1) }.joined(separator: "-")
        let uuid = RandomName.uuid(using: &generator)
        return try SinkPath("\(evaluated)\(stream)-\(version)-\(stamp)-\(uuid)\(fileExtension)")
    }
}

/// A file's name below a sink's folder, which it can't leave.
public struct SinkPath: Sendable, Hashable, CustomStringConvertible {
    /// Folders and the file's own name; never empty, no `.` or `..`.
    public let components: [String]

    /// Takes names apart at `/`; `a//b` is `a/b`. Refuses absolute names, `.` and `..`, the folder of unfinished files,
    /// NUL, and components longer than 255 bytes, with `SinkError` code `unsafeName`.
    public init(_ name: String) throws(SinkError) {
        func refuse(_ why: String) -> SinkError { SinkError(unsafeName: name, why) }
        guard !name.hasPrefix("/") else { throw refuse("it starts with '/', but names are below the sink's folder") }
        guard !name.utf8.contains(0) else { throw refuse("it contains NUL") }
        guard !name.hasSuffix("/") else { throw refuse("it ends with '/', so it names no file") }
        let components = name.split(separator: "/").map(String.init)
        guard !components.isEmpty else { throw refuse("it is empty") }
        for component in components {
            guard component != "..", component != "." else {
                throw refuse("'\(component)' would leave the sink's folder")
            }
            guard component.utf8.count <= 255 else { throw refuse("'\(component)' is longer than 255 bytes") }
        }
        guard components[0] != SinkFolder.unfinished else {
            throw refuse("'\(SinkFolder.unfinished)' is where unfinished files are kept")
        }
        self.components = components
    }

    /// The name with slashes.
    public var description: String { components.joined(separator: "/") }
}
