import CSystemd
import Glibc

/// The reader's thread: one journal handle, opened anew whenever it fails, always at the last good entry.
final class JournalReader {
    /// What is known of a numbering while reading.
    struct Numbering {
        var source: UInt64
        /// The number of the last entry read or acknowledged; nil before the first, whatever its number is.
        var last: Int64?
    }

    /// A record chunk in the making.
    private struct Draft {
        var source: UInt64 = 0
        var bytes: [UInt8] = []
        var ends: [Int] = []
        var sequences: [Int64] = []
        var realtimes: [UInt64] = []
        var shortened = 0
    }

    let configuration: JournalTailConfiguration
    let shared: SharedJournal
    let randomNumber: () -> UInt64
    private let wake: () -> Void
    private var writer: EntryWriter
    private var draft = Draft()

    var handle: JournalHandle?
    /// The cursor of the last good entry, from libsystemd's allocator.
    var lastCursor: UnsafeMutablePointer<CChar>?
    var numberings: [String: Numbering] = [:]
    /// The numbering of the last entry.
    private var currentID = ""
    private var current = Numbering(source: 0, last: nil)

    /// Whether the handle stands on an entry that is still to be read.
    var standsOnEntry = false
    /// Tries to find the last good entry that found nothing, and failures since the last good entry.
    var vainSeeks = 0
    var failures = 0
    private var lastOpenError: Int32 = 0
    private var hasProblem = false
    private var nextAccessCheck: UInt64 = 0
    private var lastEntryTime: UInt64 = 0

    init(
        _ configuration: JournalTailConfiguration,
        _ shared: SharedJournal,
        randomNumber: @escaping () -> UInt64,
        wake: @escaping () -> Void
    ) {
        self.configuration = configuration
        self.shared = shared
        self.randomNumber = randomNumber
        self.wake = wake
        writer = EntryWriter(configuration)
        shared.progress.withLock { progress in
            lastCursor = progress.resumeCursor.flatMap { strdup($0) }
            for (id, numbering) in progress.numberings {
                numberings[id] = Numbering(
                    source: numbering.source,
                    last: numbering.acknowledged > 0 ? numbering.acknowledged : nil
                )
            }
        }
    }

    deinit { free(lastCursor) }

    func run() {
        let guarded = MappingGuard.install()
        precondition(guarded == 0, "cannot install a signal handler: \(JournalText.describe(guarded))")
        while !isStopped {
            checkAccess()
            guard open() else {
                wait(milliseconds: 1000)
                continue
            }
            readAll()
            flush()
        }
        handle = nil
    }

    private var isStopped: Bool { shared.progress.withLock { $0.isStopped } }

    func note(_ notice: JournalNotice) {
        shared.progress.withLock { $0.notices.append(notice) }
        wake()
    }

    // MARK: - Opening

    /// Whether there is a handle at the right place.
    private func open() -> Bool {
        if handle != nil { return true }
        var error: Int32 = 0
        guard let opened = JournalHandle(configuration, error: &error) else {
            if error != lastOpenError { note(.cannotOpen(error: -error)) }
            lastOpenError = error
            return false
        }
        lastOpenError = 0
        switch seek(opened) {
        case .found:
            handle = opened
            return true
        case .nothing: return false
        case .failed(let code):
            failed(code)
            return false
        }
    }

    /// The handle is of no use any more. What was read from it is good.
    func failed(_ code: Int32) {
        handle = nil
        standsOnEntry = false
        failures += 1
        if failures == 1 { note(.reopened(error: -code)) }
        flush()
        if failures > 1 { wait(milliseconds: min(1000, 20 * failures)) }
    }

    // MARK: - Reading

    private func readAll() {
        while let handle, !isStopped {
            let mended = MappingGuard.mendedFaults
            var result: Int32 = 1
            if !standsOnEntry { result = sd_journal_next(handle.pointer) }
            standsOnEntry = false
            if MappingGuard.mendedFaults != mended { result = -EIO }
            if result < 0 { return failed(result) }
            if result == 0 {
                flush()
                if !waitForMore(handle) { return }
                continue
            }
            let error = readEntry(handle.pointer, mended)
            if error < 0 { return failed(error) }
        }
    }

    /// Takes the entry that the handle stands on into the draft, unless it was read before. A negative error number
    /// when it cannot be read, or was read from a page that was not there.
    private func readEntry(_ journal: OpaquePointer, _ mended: UInt64) -> Int32 {
        var cursor: UnsafeMutablePointer<CChar>?
        var realtime: UInt64 = 0
        var result = sd_journal_get_cursor(journal, &cursor)
        if result >= 0 { result = sd_journal_get_realtime_usec(journal, &realtime) }
        guard result >= 0, let cursor else { return result < 0 ? result : -EBADMSG }
        guard MappingGuard.mendedFaults == mended, let sequence = JournalCursor.sequence(cursor) else {
            free(cursor)
            return -EBADMSG
        }
        enter(cursor)
        if let last = current.last, sequence <= last {
            free(cursor)
            return 0
        }
        let start = draft.bytes.count
        switch writer.write(journal, realtime: realtime, cursor: cursor, into: &draft.bytes) {
        case .failed(let code):
            free(cursor)
            return code
        case .written(let shortened):
            guard MappingGuard.mendedFaults == mended else {
                draft.bytes.removeSubrange(start...)
                free(cursor)
                return -EIO
            }
            if shortened { draft.shortened += 1 }
        }
        if let last = current.last, sequence > last + 1, configuration.matches.isEmpty {
            note(.gap(source: current.source, count: sequence - last - 1, sequence: sequence))
        }
        current.last = sequence
        draft.ends.append(draft.bytes.count)
        draft.sequences.append(sequence)
        draft.realtimes.append(realtime)
        free(lastCursor)
        lastCursor = cursor
        failures = 0
        if draft.bytes.count >= Self.chunkBytes { flush() }
        return 0
    }

    private static let chunkBytes = 131_072

    /// Makes the numbering of a cursor the current one.
    private func enter(_ cursor: UnsafePointer<CChar>) {
        let digits = UnsafeRawBufferPointer(start: cursor + JournalCursor.idOffset, count: JournalCursor.idLength)
        if currentID.utf8.count == digits.count, currentID.utf8.elementsEqual(digits) { return }
        flush()
        let id = String(decoding: digits, as: UTF8.self)
        if numberings[id] == nil { begin(id, behind: nil) }
        currentID = id
        current = numberings[id] ?? current
        draft.source = current.source
    }

    /// Gives a numbering a source. `behind`: the entry that reading starts behind, if any.
    func begin(_ id: String, behind: (sequence: Int64, cursor: String)?) {
        var source: UInt64 = 0
        while source == 0 { source = randomNumber() >> 1 }
        let numbering = Numbering(source: source, last: behind?.sequence)
        numberings[id] = numbering
        if id == currentID {
            flush()
            current = numbering
            draft.source = source
        }
        shared.progress.withLock { $0.begin(id, source: source, behind: behind) }
        note(.newNumbering(source: source, seqnumID: id))
    }

    /// Hands the draft over, and waits while the owner is behind.
    private func flush() {
        if !currentID.isEmpty { numberings[currentID] = current }
        guard !draft.ends.isEmpty, let lastCursor else { return }
        let chunk = JournalChunk(
            source: draft.source,
            bytes: draft.bytes,
            recordEnds: draft.ends,
            sequences: draft.sequences,
            realtimeMicroseconds: draft.realtimes,
            lastCursor: String(cString: lastCursor),
            shortenedEntries: draft.shortened
        )
        let capacity = draft.ends.count
        draft = Draft(source: current.source)
        draft.bytes.reserveCapacity(Self.chunkBytes + 4096)
        draft.ends.reserveCapacity(capacity)
        lastEntryTime = Self.milliseconds()
        shared.progress.withLock { $0.append(chunk) }
        wake()
        while true {
            let mustWait = shared.progress.withLock { progress in
                progress.isFull = progress.queuedBytes >= configuration.queueBytes && !progress.isStopped
                return progress.isFull
            }
            guard mustWait else { return }
            wait(milliseconds: -1)
        }
    }

    // MARK: - Waiting

    /// journald signals new entries up to 250 ms late, but they can be seen before: while they keep coming they are
    /// looked for often. false when the handle is gone.
    private func waitForMore(_ handle: JournalHandle) -> Bool {
        checkAccess()
        let isBusy = Self.milliseconds() - lastEntryTime < 1000
        guard wait(milliseconds: isBusy ? 20 : 200, handle.descriptor) else { return true }
        let mended = MappingGuard.mendedFaults
        let result = sd_journal_process(handle.pointer)
        if result < 0 || MappingGuard.mendedFaults != mended {
            failed(result < 0 ? result : -EIO)
            return false
        }
        if result == Int32(SD_JOURNAL_INVALIDATE) { nextAccessCheck = min(nextAccessCheck, Self.milliseconds() + 1000) }
        return true
    }

    /// Whether `descriptor` became ready. Ends early when the owner signals.
    @discardableResult
    private func wait(milliseconds: Int, _ descriptor: Int32 = -1) -> Bool {
        var files = [
            pollfd(fd: shared.event, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&files, 2, Int32(milliseconds)) > 0 else { return false }
        if files[0].revents != 0 {
            var count: UInt64 = 0
            _ = read(shared.event, &count, 8)
        }
        return files[1].revents != 0
    }

    /// Tells when files may not be read, which libsystemd does not. Once files can be read again the journal is opened
    /// anew: it has left them out.
    private func checkAccess() {
        let now = Self.milliseconds()
        guard now >= nextAccessCheck else { return }
        let problem = JournalAccess.firstProblem(configuration.directory)
        nextAccessCheck = now + (problem == nil ? 10_000 : 1000)
        if let problem, !hasProblem { note(.unreadable(path: problem.path, error: problem.error)) }
        if problem == nil, hasProblem {
            note(.readableAgain)
            handle = nil
            standsOnEntry = false
        }
        hasProblem = problem != nil
    }

    private static func milliseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
