import FileTail

/// Files as a flow's input.
final class FileSource: RecordSource {
    private let tail: FileTail

    /// `hasRunBefore`: a first run honours `initialPosition`, later ones read every new file from its start.
    init(
        _ configuration: FileTailConfiguration,
        restoring checkpoints: [FileCheckpoint],
        hasRunBefore: Bool
    ) throws(FileTailError) {
        tail = try FileTail(configuration, restoring: checkpoints, hasRunBefore: hasRunBefore)
    }

    var revision: UInt64 { tail.revision }

    func start(wake: @escaping @Sendable () -> Void) {}

    func refresh() throws -> [SourceNotice] {
        try tail.refresh().map { SourceNotice(message: $0.message, isWarning: $0.isWarning) }
    }

    func next(maxBytes: Int) -> SourceChunk? {
        guard let chunk = tail.next(maxBytes: maxBytes) else { return nil }
        return SourceChunk(
            producer: chunk.source.rawValue ^ HostIdentity.mask,
            bytes: chunk.bytes,
            ends: chunk.recordEnds,
            numbering: .dense(from: chunk.firstSequence),
            offsets: chunk.recordOffsets
        )
    }

    func acknowledge(_ chunk: SourceChunk, through record: Int) {
        tail.acknowledge(
            SourceID(rawValue: chunk.producer ^ HostIdentity.mask),
            offset: chunk.offsets[record],
            sequence: chunk.sequence(record) + 1
        )
    }

    func checkpoints() -> SourceCheckpoints { .files(tail.checkpoints()) }

    var lagBytes: Int64 { tail.lag.bytes }

    func stop() {}
}
