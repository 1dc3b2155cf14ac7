import JournalTail

/// The systemd journal as a flow's input.
final class JournalSource: RecordSource {
    private let tail: JournalTail
    private var wake: @Sendable () -> Void = {}
    private var isStarted = false

    init(_ configuration: JournalTailConfiguration, restoring checkpoints: [JournalCheckpoint]) throws {
        tail = try JournalTail(configuration, restoring: checkpoints)
    }

    var revision: UInt64 { tail.revision }

    /// The reading thread starts with the first `refresh`, where a failure is reported and tried again.
    func start(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    func refresh() throws -> [SourceNotice] {
        if !isStarted {
            try tail.start(wake: wake)
            isStarted = true
        }
        return noticesBeforeSending()
    }

    func noticesBeforeSending() -> [SourceNotice] {
        tail.notices().map { SourceNotice(message: Self.words($0), isWarning: $0.isWarning) }
    }

    func next(maxBytes: Int) -> SourceChunk? {
        guard let chunk = tail.next(maxBytes: maxBytes) else { return nil }
        return SourceChunk(
            producer: chunk.source ^ HostIdentity.mask,
            bytes: chunk.bytes,
            ends: chunk.recordEnds,
            numbering: .listed(chunk.sequences)
        )
    }

    func acknowledge(_ chunk: SourceChunk, through record: Int) {
        tail.acknowledge(chunk.producer ^ HostIdentity.mask, sequence: chunk.sequence(record))
    }

    func checkpoints() -> SourceCheckpoints { .journal(tail.checkpoints()) }

    var lagBytes: Int64 { tail.lag.bytes }

    func stop() { tail.stop() }

    private static func words(_ notice: JournalNotice) -> String {
        switch notice {
        case .gap(_, let count, let sequence):
            "\(count) journal entries before number \(sequence) are missing: journald removed or lost them before they could "
                + "be read; raise SystemMaxUse= in journald.conf"
        case .gapOfUnknownSize:
            "the last shipped journal entry is gone, and how many after it cannot be told; raise SystemMaxUse= in "
                + "journald.conf"
        case .newNumbering(_, let id): "the journal has a new numbering, \(id)"
        case .cursorBeyondEnd:
            "the saved position lies beyond the journal's end: the journal was rolled back or wiped, and is read from its "
                + "start"
        case .reopened(let error): "the journal was opened anew after \(SystemText.describe(error))"
        case .unreadable(let path, let error):
            "cannot read the journal \(path): \(SystemText.describe(error)); add the agent's user to the group "
                + "systemd-journal"
        case .readableAgain: "the journal can be read again"
        case .cannotOpen(let error):
            "cannot open the journal: \(SystemText.describe(error)); it is tried again, check that the folder exists and is "
                + "readable"
        }
    }
}
