import Glibc

extension FileTail {
    /// Looks at the folders and files. Throws `FileTailError.outOfResources`, with nothing changed.
    public func refresh() throws(FileTailError) -> [FileTailNotice] {
        let snapshot = try scanner.scan()
        refreshes += 1
        let now = nowMilliseconds()
        noteFolders(snapshot)
        if needsLocating {
            needsLocating = false
            locateRestored(snapshot)
        }
        for generation in Array(attached.values) {
            if let status = snapshot.statuses[generation.key] {
                seen(generation, status, snapshot.paths[generation.key] ?? [], now)
            } else {
                unseen(generation, snapshot, now)
            }
        }
        classifyNewFiles(snapshot, now)
        searchBeside(snapshot, now)
        for generation in Array(generations.values) { settle(generation, now) }
        isFirstLook = false
        if unreadable.count > 0 {
            let present = Set(snapshot.paths.values.joined())
            unreadable = unreadable.filter { present.contains($0.key) }
        }
        defer { notices = [] }
        return notices
    }

    private func noteFolders(_ snapshot: FolderScanner.Snapshot) {
        for (path, code) in snapshot.failures where failedFolders[path] != code {
            let kind: FileTailNotice.Kind = code == 0 ? .nameUnusable : .folderUnreadable(code)
            notices.append(FileTailNotice(kind: kind, source: nil, path: path))
        }
        failedFolders = snapshot.failures
        for (path, code) in snapshot.unresolved where unresolved[path] != code {
            notices.append(FileTailNotice(kind: .unreadable(code), source: nil, path: path))
        }
        unresolved = snapshot.unresolved
    }

    /// A file of the pattern that is followed.
    private func seen(_ generation: Generation, _ status: FileStatus, _ paths: [String], _ now: Int64) {
        generation.lastSeenMilliseconds = now
        if let path = paths.first, !paths.contains(generation.path) { moved(generation, to: path) }
        check(generation, status, now)
    }

    private func moved(_ generation: Generation, to path: String) {
        let former = generation.path
        slots.insert(former)
        generation.path = path
        generation.isRotated = true
        note(.renamed(from: former), generation)
    }

    /// A followed file that the pattern does not find: renamed out of it, or deleted.
    private func unseen(_ generation: Generation, _ snapshot: FolderScanner.Snapshot, _ now: Int64) {
        if let file = generation.file, let status = file.status {
            if status.links == 0 {
                if !generation.isDeleted {
                    generation.isDeleted = true
                    generation.isRotated = true
                    slots.insert(generation.path)
                    generation.size = max(generation.size, status.size)
                    let isTaken = snapshot.paths.values.contains { $0.contains(generation.path) }
                    note(isTaken ? .replaced : .deleted(unreadBytes: generation.unread), generation)
                }
            } else if FileStatus(path: generation.path)?.key != generation.key {
                let path = file.currentPath ?? find(generation)
                if let path, FileStatus(path: path)?.key == generation.key { moved(generation, to: path) }
            }
            generation.lastSeenMilliseconds = now
            return check(generation, status, now)
        }
        // Finished files that do not match are looked at now and then.
        if generation.isFinished, now - generation.lastChangeMilliseconds > 300_000, refreshes % 32 != 0 { return }
        if let status = FileStatus(path: generation.path), status.key == generation.key {
            generation.lastSeenMilliseconds = now
            return check(generation, status, now)
        }
        if let path = find(generation), let status = FileStatus(path: path) {
            moved(generation, to: path)
            return check(generation, status, now)
        }
        slots.insert(generation.path)
        // It was not open, so nobody knows what was written to it after the last look.
        generation.mayHaveGrown = !generation.isFinished
        detach(generation, truncated: false)
    }

    /// Another name of a file beside the one it had.
    private func find(_ generation: Generation) -> String? {
        for folder in folders(of: generation) {
            guard let names = try? scanner.names(in: folder) else { continue }
            let paths = names.lazy.map { folder == "/" ? "/\($0)" : "\(folder)/\($0)" }
            if let path = paths.first(where: { FileStatus(path: $0)?.key == generation.key }) { return path }
        }
        return nil
    }

    /// Makes sure that a file that changed still holds what was read of it.
    private func check(_ generation: Generation, _ status: FileStatus, _ now: Int64) {
        let isChanged = status.size != generation.size || status.modified != generation.modified
        guard isChanged || generation.needsOpening else { return }
        if isChanged { generation.lastChangeMilliseconds = now }
        guard let file = open(generation) else {
            generation.needsOpening = true
            return
        }
        generation.needsOpening = false
        guard status.size >= generation.readOffset else { return truncated(generation) }
        if generation.birth != 0, file.birth != generation.birth { return truncated(generation) }
        guard let isSame = generation.matches(file, size: status.size) else {
            return noteUnreadable(generation, errno)
        }
        guard isSame else { return truncated(generation) }
        if generation.prefix.count < Fingerprint.longestPrefix,
            let first = file.bytes(at: 0, count: Fingerprint.longestPrefix)
        {
            generation.learnPrefix(first)
        }
        if generation.unreadableCode != 0 {
            generation.unreadableCode = 0
            generation.scannedTo = generation.readOffset
            note(.readableAgain, generation)
        }
        // Cut short by bytes that were scanned but not read as records.
        if status.size < generation.scannedTo { generation.scannedTo = generation.readOffset }
        generation.size = status.size
        generation.modified = status.modified
        if generation.unread > 0 { generation.isFinished = false }
    }

    /// The file of a generation holds something else now.
    func truncated(_ generation: Generation) {
        note(.truncated(unreadBytes: generation.unread), generation)
        slots.insert(generation.path)
        detach(generation, truncated: true)
    }

    private func detach(_ generation: Generation, truncated: Bool) {
        attached[generation.key] = nil
        release(generation)
        generation.place = .missing(sinceMilliseconds: nowMilliseconds(), truncated: truncated)
        generation.missingSince = refreshes
        generation.isRotated = true
        generation.searchedRevision = .max
    }

    /// What to do at the end of a file, and with what is gone.
    private func settle(_ generation: Generation, _ now: Int64) {
        guard case .missing(let since, _) = generation.place else {
            cutRemainder(generation, now)
            finish(generation, now)
            return enqueue(generation)
        }
        if !generation.lossReported, generation.missingSince < refreshes {
            generation.lossReported = true
            if generation.unread > 0 || generation.mayHaveGrown {
                note(.lost(unreadBytes: generation.unread), generation)
            }
        }
        let isDone = generation.unread == 0 && generation.acknowledgedOffset == generation.readOffset
        let remembered = isDone ? min(.seconds(3600), configuration.rememberMissing) : configuration.rememberMissing
        if .milliseconds(now - since) > remembered { generations[generation.source] = nil }
    }

    /// Takes what no newline ends as a record when nothing more is to come.
    private func cutRemainder(_ generation: Generation, _ now: Int64) {
        guard generation.unread > 0, generation.scannedTo >= generation.size, generation.unreadableCode == 0 else {
            return
        }
        let quiet = Duration.milliseconds(now - generation.lastChangeMilliseconds)
        if generation.isRotated, isComplete(generation, quiet: quiet, limit: configuration.rotatedQuiet) {
            cut(generation, at: generation.size)
        } else if configuration.multiLineStart != nil, generation.lineEnd > generation.readOffset,
            quiet >= configuration.multiLineQuiet
        {
            cut(generation, at: generation.lineEnd)
        }
    }

    private func cut(_ generation: Generation, at offset: Int64) {
        if !generation.cuts.contains(offset) {
            generation.cuts.append(offset)
            generation.cuts.sort()
            revision += 1
        }
        generation.scannedTo = generation.readOffset
    }

    private func isComplete(_ generation: Generation, quiet: Duration, limit: Duration) -> Bool {
        guard let file = open(generation) else { return false }
        switch file.writers {
        case .none: return file.status.map { $0.size == generation.size } ?? false
        case .some: return false
        case .unknown: return quiet >= limit
        }
    }

    private func finish(_ generation: Generation, _ now: Int64) {
        guard generation.isRotated, generation.unread == 0,
            generation.acknowledgedOffset == generation.readOffset
        else {
            generation.isFinished = false
            return
        }
        if !generation.isFinished {
            generation.isFinished = true
            note(.finished, generation)
        }
        guard generation.isDeleted else { return }
        let quiet = Duration.milliseconds(now - generation.lastChangeMilliseconds)
        if isComplete(generation, quiet: quiet, limit: configuration.deletedQuiet) {
            detach(generation, truncated: false)
        }
    }
}
