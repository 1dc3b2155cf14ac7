import CSystemd
import Glibc

extension JournalReader {
    /// How a search for the place to go on ended.
    enum Place {
        case found
        /// Nothing there yet: to be tried again.
        case nothing
        case failed(Int32)
    }

    /// Moves a new handle behind the last good entry, or to where the configuration says.
    func seek(_ handle: JournalHandle) -> Place {
        let mended = MappingGuard.mendedFaults
        let place = lastCursor.map { seek(handle, behind: $0) } ?? seekInitially(handle)
        return MappingGuard.mendedFaults == mended ? place : .failed(-EIO)
    }

    private func seekInitially(_ handle: JournalHandle) -> Place {
        // A run that saw an empty journal has begun already: what is there now is new.
        guard configuration.initialPosition == .tail, numberings.isEmpty else { return head(handle) }
        if let problem = JournalAccess.firstProblem(configuration.directory), problem.error == EACCES {
            return .nothing
        }
        var result = sd_journal_seek_tail(handle.pointer)
        if result >= 0 { result = sd_journal_previous(handle.pointer) }
        if result < 0 { return .failed(result) }
        guard result > 0 else { return head(handle) }
        guard let text = handle.cursor(), let cursor = JournalCursor(text) else { return .failed(-EBADMSG) }
        begin(cursor.seqnumID, behind: (cursor.sequence, text))
        replaceLastCursor(text)
        return .found
    }

    private func head(_ handle: JournalHandle) -> Place {
        let result = sd_journal_seek_head(handle.pointer)
        return result < 0 ? .failed(result) : .found
    }

    private func seek(_ handle: JournalHandle, behind cursor: UnsafePointer<CChar>) -> Place {
        let saved = JournalCursor(String(cString: cursor))
        // After many failures at one place libsystemd cannot get past it by cursor; what is stepped over shows as a gap.
        if failures >= 20, let saved {
            let result = sd_journal_seek_realtime_usec(
                handle.pointer,
                saved.realtime + 1 << UInt64(min(failures - 20, 40))
            )
            return result < 0 ? .failed(result) : .found
        }
        var result = sd_journal_seek_cursor(handle.pointer, cursor)
        if result == -EINVAL || saved == nil {
            note(.cursorBeyondEnd)
            return head(handle)
        }
        if result >= 0 { result = sd_journal_next(handle.pointer) }
        if result < 0 { return .failed(result) }
        if result == 0 { return beyondEnd(handle, saved) }
        vainSeeks = 0
        result = sd_journal_test_cursor(handle.pointer, cursor)
        if result < 0 { return .failed(result) }
        standsOnEntry = result == 0
        if standsOnEntry, let saved, JournalCursor(handle.cursor() ?? "")?.seqnumID != saved.seqnumID {
            note(.gapOfUnknownSize)
        }
        if failures >= 5 {
            // The next entry cannot be read, time and again: each further failure steps over one more.
            result = sd_journal_next_skip(handle.pointer, UInt64(failures - (standsOnEntry ? 5 : 4)))
            if result < 0 { return .failed(result) }
            standsOnEntry = false
        }
        return .found
    }

    /// Nothing is at or behind the saved place. libsystemd would find nothing there ever again, new entries included.
    private func beyondEnd(_ handle: JournalHandle, _ saved: JournalCursor?) -> Place {
        vainSeeks += 1
        // Files that are being rotated can hide the end for a moment.
        guard vainSeeks > 2, let saved else { return .nothing }
        var result = sd_journal_seek_tail(handle.pointer)
        if result >= 0 { result = sd_journal_previous(handle.pointer) }
        if result < 0 { return .failed(result) }
        // An empty journal, or one that may not be read.
        guard result > 0 else { return .nothing }
        guard let text = handle.cursor(), let end = JournalCursor(text) else { return .failed(-EBADMSG) }
        vainSeeks = 0
        note(.cursorBeyondEnd)
        // What was read of the numberings known is left out by number.
        guard end.seqnumID == saved.seqnumID, end.sequence < saved.sequence else { return head(handle) }
        // The numbers are being given again: a new source, from the first entry that is younger than the last one read.
        result = sd_journal_seek_realtime_usec(handle.pointer, saved.realtime + 1)
        if result >= 0 { result = sd_journal_next(handle.pointer) }
        if result < 0 { return .failed(result) }
        if result > 0 {
            begin(saved.seqnumID, behind: nil)
            standsOnEntry = true
            return .found
        }
        begin(saved.seqnumID, behind: (end.sequence, text))
        replaceLastCursor(text)
        result = sd_journal_seek_tail(handle.pointer)
        if result >= 0 { result = sd_journal_previous(handle.pointer) }
        return result < 0 ? .failed(result) : .found
    }

    private func replaceLastCursor(_ text: String) {
        free(lastCursor)
        lastCursor = strdup(text)
    }
}
