import Glibc

extension FileTail {
    /// A file of the pattern that no generation is attached to.
    private struct NewFile {
        let path: String
        let status: FileStatus
        let file: OpenFile
        /// Its first 1 KiB, or all of it.
        let first: [UInt8]
    }

    /// Finds the files of the generations of a former run by inode, and makes sure that they hold what was read of them.
    func locateRestored(_ snapshot: FolderScanner.Snapshot) {
        // Of two with one inode, the one that was truncated away counts as rotated.
        let restored = generations.values.sorted {
            ($0.isRotated ? 1 : 0, -$0.readOffset, -$0.prefixLength) < (
                $1.isRotated ? 1 : 0, -$1.readOffset, -$1.prefixLength
            )
        }
        var changed: [Generation] = []
        var folders: [String: [FileKey: String]] = [:]
        for generation in restored {
            var path = snapshot.paths[generation.key].map { $0.contains(generation.path) ? generation.path : $0[0] }
            if path == nil, FileStatus(path: generation.path)?.key == generation.key { path = generation.path }
            for folder in self.folders(of: generation) where path == nil {
                if folders[folder] == nil { folders[folder] = keys(in: folder) }
                path = folders[folder]?[generation.key]
            }
            guard let path else { continue }
            guard let file = OpenFile(path: path) else {
                // Not readable now: it is checked as soon as it is.
                if errno != ENOENT, attached[generation.key] == nil { attach(generation, path: path) }
                continue
            }
            guard let status = file.status, status.key == generation.key else { continue }
            let isSameInode = generation.birth == 0 || file.birth == generation.birth
            if isSameInode, attached[status.key] == nil, generation.matches(file, size: status.size) != false {
                attach(generation, path: path)
                keep(file, for: generation)
            } else {
                changed.append(generation)
            }
        }
        for generation in changed where attached[generation.key] == nil {
            note(.truncated(unreadBytes: generation.unread), generation)
            slots.insert(generation.path)
            generation.place = .missing(sinceMilliseconds: nowMilliseconds(), truncated: true)
        }
    }

    /// Where its rotations lie: beside its name, and beside the file that a symbolic link led to.
    func folders(of generation: Generation) -> [String] {
        let folder = FileName.folder(generation.path)
        let real = generation.realPath.isEmpty ? folder : FileName.folder(generation.realPath)
        return folder == real ? [folder] : [folder, real]
    }

    private func keys(in folder: String) -> [FileKey: String] {
        var result: [FileKey: String] = [:]
        for name in (try? scanner.names(in: folder)) ?? [] {
            let path = folder == "/" ? "/\(name)" : "\(folder)/\(name)"
            if let status = FileStatus(path: path), status.isRegular { result[status.key] = path }
        }
        return result
    }

    private func attach(_ generation: Generation, path: String) {
        if path != generation.path {
            slots.insert(generation.path)
            let former = generation.path
            generation.path = path
            generation.isRotated = true
            note(.renamed(from: former), generation)
        }
        generation.place = .attached
        attached[generation.key] = generation
    }

    /// Decides on each file that is not followed yet: it goes on with a missing generation, repeats another file, or is
    /// new.
    func classifyNewFiles(_ snapshot: FolderScanner.Snapshot, _ now: Int64) {
        held = held.filter { snapshot.statuses[$0.key] != nil }
        // Names without a suffix come before the rotations of them.
        let found = snapshot.statuses.values.filter { attached[$0.key] == nil && $0.size > 0 }
            .compactMap { status in snapshot.paths[status.key]?.first.map { (path: $0, status: status) } }
            .sorted { ($0.path.utf8.count, $0.path) < ($1.path.utf8.count, $1.path) }
        for (path, status) in found {
            let copy = held[status.key].flatMap { $0.size == status.size && $0.modified == status.modified ? $0 : nil }
            if let copy, generations[copy.original]?.isAttached == true { continue }
            guard let new = look(path, status) else { continue }
            if let missing = missingGeneration(continuedIn: new) {
                adopt(missing, new, now)
            } else if copy != nil {
                create(new, isRead: true, now)
            } else if let original = original(of: new) {
                let isNews = held[status.key]?.original != original.source
                held[status.key] = HeldCopy(original: original.source, size: new.status.size, modified: status.modified)
                if isNews { notices.append(.init(kind: .copyHeld(of: original.path), source: nil, path: path)) }
                continue
            } else {
                create(new, isRead: truncatedOriginal(of: new) != nil, now)
            }
            held[status.key] = nil
        }
    }

    private func look(_ path: String, _ status: FileStatus) -> NewFile? {
        guard let file = OpenFile(path: path) else { return notReadable(path, status, errno) }
        guard let current = file.status, current.key == status.key, current.size > 0 else { return nil }
        guard let first = file.bytes(at: 0, count: Fingerprint.longestPrefix) else {
            return notReadable(path, status, errno)
        }
        guard !first.isEmpty else { return nil }
        return NewFile(path: path, status: current, file: file, first: first)
    }

    private func notReadable(_ path: String, _ status: FileStatus, _ code: Int32) -> NewFile? {
        guard code != ENOENT, unreadable[path]?.code != code else { return nil }
        let firstSize = isFirstLook ? status.size : unreadable[path]?.firstSize
        unreadable[path] = Unreadable(code: code, firstSize: firstSize)
        notices.append(FileTailNotice(kind: .unreadable(code), source: nil, path: path))
        return nil
    }

    // MARK: - Missing generations

    private func missingGeneration(continuedIn new: NewFile) -> Generation? {
        generations.values.filter { !$0.isAttached }
            .sorted { ($0.readOffset, $0.source.rawValue) > ($1.readOffset, $1.source.rawValue) }
            .first { canContinue($0, in: new) }
    }

    /// So much content read before tells a file by itself, whatever its name: no header is that long.
    private static var enoughContent: Int64 { 4096 }

    /// The content before the place read to has to be there. Little content is not enough for a stranger's name.
    private func canContinue(_ generation: Generation, in new: NewFile) -> Bool {
        guard case .missing(_, let wasTruncated) = generation.place, generation.hasPrefix(new.first) else {
            return false
        }
        let isSameInode = generation.key.inode == new.status.key.inode && generation.birth == new.file.birth
        if generation.key == new.status.key, wasTruncated || !isSameInode { return false }
        if !isSameInode {
            let isRotation = new.path != generation.path && generation.isRotated(to: new.path)
            guard isRotation || generation.readOffset >= Self.enoughContent else { return false }
        }
        return generation.matches(new.file, size: new.status.size) == true
    }

    private func adopt(_ generation: Generation, _ new: NewFile, _ now: Int64) {
        let former = generation.path
        let isSameInode = generation.key.inode == new.status.key.inode && generation.birth == new.file.birth
        generation.key = new.status.key
        generation.birth = new.file.birth
        generation.path = new.path
        generation.place = .attached
        generation.isRotated = generation.isRotated || !isSameInode
        generation.isDeleted = false
        generation.lossReported = false
        generation.size = new.status.size
        generation.modified = new.status.modified
        generation.scannedTo = generation.readOffset
        generation.lastChangeMilliseconds = now
        generation.lastSeenMilliseconds = now
        generation.learnPrefix(new.first)
        attached[generation.key] = generation
        keep(new.file, for: generation)
        revision += 1
        note(.continuedInCopy(of: former), generation)
    }

    /// A copy that was made before the last bytes of its original were written, and those were read before the original
    /// was truncated: nothing of the copy is news. Many files begin alike, so what is known of the original near the copy's
    /// end has to be there too.
    private func truncatedOriginal(of new: NewFile) -> Generation? {
        generations.values.first { generation in
            guard case .missing(_, truncated: true) = generation.place, generation.key != new.status.key,
                new.status.size < generation.readOffset, generation.prefix.starts(with: new.first),
                generation.isRotated(to: new.path)
            else { return false }
            if new.status.size <= new.first.count { return true }
            guard let sample = generation.newestSample(upTo: new.status.size) else { return false }
            return Generation.tailHash(new.file, before: sample.offset) == sample.hash
        }
    }

    /// Looks for copies of missing generations among the files that do not match the pattern.
    func searchBeside(_ snapshot: FolderScanner.Snapshot, _ now: Int64) {
        for generation in Array(generations.values) {
            // What is not found within an hour of folder changes has been compressed or deleted.
            guard case .missing(let since, let wasTruncated) = generation.place, now - since < 3_600_000 else {
                continue
            }
            // One that was held open until it was deleted is read to its end: no copy has more.
            if !wasTruncated, generation.unread == 0, !generation.mayHaveGrown { continue }
            let folder = FileName.folder(generation.path)
            guard let names = try? scanner.names(in: folder) else { continue }
            if generation.searchedRevision == scanner.currentRevision { continue }
            generation.searchedRevision = scanner.currentRevision
            for name in names {
                let path = folder == "/" ? "/\(name)" : "\(folder)/\(name)"
                guard let status = FileStatus(path: path), status.isRegular, snapshot.statuses[status.key] == nil,
                    attached[status.key] == nil, status.size >= max(1, generation.readOffset),
                    let file = OpenFile(path: path), let current = file.status, current.key == status.key,
                    let first = file.bytes(at: 0, count: Fingerprint.longestPrefix)
                else { continue }
                let new = NewFile(path: path, status: current, file: file, first: first)
                if canContinue(generation, in: new) {
                    adopt(generation, new, now)
                    break
                }
            }
        }
    }

    // MARK: - Copies

    /// The followed generation whose content a new file repeats so far.
    private func original(of new: NewFile) -> Generation? {
        attached.values.first { generation in
            guard generation.key != new.status.key, generation.prefix.starts(with: new.first) else { return false }
            if FileName.isRotation(generation.path, of: new.path) { return false }
            let isRotation = generation.isRotated(to: new.path)
            let isLong = new.first.count == Fingerprint.longestPrefix && !slots.contains(new.path)
            guard isRotation || isLong, let file = open(generation), let status = file.status else { return false }
            guard new.status.size <= status.size else { return false }
            // What was compared before is not compared again while a copy grows.
            let before = held[new.status.key].flatMap { $0.original == generation.source ? $0.size : nil } ?? 0
            let start = before < new.status.size ? before : 0
            return ContentComparison.isEqual(new.file, file, start..<new.status.size)
        }
    }

    // MARK: - New generations

    /// `isRead`: what is in it by now was read elsewhere.
    private func create(_ new: NewFile, isRead: Bool, _ now: Int64) {
        let generation = Generation(source: newSource(), path: new.path, key: new.status.key, birth: new.file.birth)
        generation.learnPrefix(new.first)
        var offset: Int64 = 0
        let firstSize = unreadable[new.path]?.firstSize ?? (isFirstLook ? new.status.size : nil)
        if isRead {
            offset = new.status.size
            generation.isRotated = true
        } else if let firstSize, configuration.initialPosition == .endOfFile {
            offset = lineEnd(new.file, before: min(firstSize, new.status.size))
        } else if new.first[0] == 0 {
            offset = new.file.holeEnd(upTo: new.status.size)
            if offset > 0 { notices.append(.init(kind: .holeSkipped(bytes: offset), source: nil, path: new.path)) }
        }
        if offset > 0 {
            let hash = Generation.tailHash(new.file, before: offset) ?? ContentHash.start
            generation.start(at: offset, tail: .init(offset: offset, hash: hash))
        } else {
            generation.headerLines = configuration.skipHeaderLines
        }
        generation.size = new.status.size
        generation.modified = new.status.modified
        generation.lastChangeMilliseconds = now
        generation.lastSeenMilliseconds = now
        // It is rotated already if the file it was rotated from is or was there.
        let originals = FileName.possibleOriginals(new.path)
        if originals.contains(where: { slots.contains($0) || FileStatus(path: $0)?.isRegular == true }) {
            generation.isRotated = true
        }
        generations[generation.source] = generation
        attached[generation.key] = generation
        keep(new.file, for: generation)
        revision += 1
        if unreadable.removeValue(forKey: new.path) != nil { note(.readableAgain, generation) }
        note(.discovered(offset: offset), generation)
    }

    private func newSource() -> SourceID {
        while true {
            let source = SourceID(rawValue: randomNumber() >> 1)
            if source.rawValue != 0, generations[source] == nil { return source }
        }
    }

    /// The end of the last whole line at or before `offset`: the unterminated one behind it is still to come.
    private func lineEnd(_ file: OpenFile, before offset: Int64) -> Int64 {
        var end = offset
        while end > 0, offset - end < Int64(configuration.maxRecordBytes) {
            let start = max(0, end - 65_536)
            guard let bytes = file.bytes(at: start, count: Int(end - start)) else { return offset }
            if let newline = bytes.lastIndex(of: 10) { return start + Int64(newline) + 1 }
            end = start
        }
        return end == 0 ? 0 : offset
    }
}

/// Whether two files hold the same bytes.
enum ContentComparison {
    private static let block: Int64 = 262_144

    static func isEqual(_ one: OpenFile, _ other: OpenFile, _ range: Range<Int64>) -> Bool {
        stride(from: range.lowerBound, to: range.upperBound, by: Int64.Stride(block)).allSatisfy { offset in
            let count = Int(min(block, range.upperBound - offset))
            guard let bytes = one.bytes(at: offset, count: count), bytes.count == count else { return false }
            return bytes == other.bytes(at: offset, count: count)
        }
    }
}
