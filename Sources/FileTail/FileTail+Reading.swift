import Glibc

extension FileTail {
    /// The next whole records of some file, about `maxBytes` of them (at least one record), the files taking turns.
    /// nil when everything known is read: refresh, then ask again.
    public func next(maxBytes: Int) -> RecordChunk? {
        while readyStart < ready.count {
            let generation = ready[readyStart]
            readyStart += 1
            if readyStart > 1024, readyStart * 2 > ready.count {
                ready.removeFirst(readyStart)
                readyStart = 0
            }
            generation.isReady = false
            let chunk = read(generation, maxBytes: maxBytes)
            enqueue(generation)
            if let chunk { return chunk }
        }
        ready.removeAll(keepingCapacity: true)
        readyStart = 0
        return nil
    }

    private func read(_ generation: Generation, maxBytes: Int) -> RecordChunk? {
        guard generation.isAttached, generation.size > generation.scannedTo else { return nil }
        guard let file = open(generation) else {
            generation.needsOpening = true
            return nil
        }
        // What was read last is read again in front: if it differs, the file is not what it was.
        let lead = Int(min(Int64(Fingerprint.longestTail), generation.readOffset))
        var want = max(1, min(configuration.readChunkBytes, maxBytes))
        let most = 2 * configuration.maxRecordBytes + 2
        while true {
            reserve(lead + want)
            let window = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(lead + want)])
            guard let count = file.read(at: generation.readOffset - Int64(lead), into: window) else {
                noteUnreadable(generation, errno)
                generation.scannedTo = generation.size
                generation.modified = .min
                return nil
            }
            guard count >= lead, isContinued(generation, lead: lead, count: count) else {
                truncated(generation)
                return nil
            }
            let isEnd = count < lead + want
            let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[lead..<count])
            var skipped = 0
            if generation.headerLines > 0 {
                skipped = skipHeader(generation, bytes)
                if generation.headerLines > 0, skipped == 0, !isEnd, want < most {
                    want = most
                    continue
                }
            }
            let records = UnsafeRawBufferPointer(rebasing: bytes[skipped...])
            let base = generation.readOffset + Int64(skipped)
            let cuts = generation.cuts.compactMap { $0 > base ? Int($0 - base) : nil }
            let result = generation.headerLines > 0 ? .init() : splitter.split(records, cuts: cuts)
            if result.ends.isEmpty, skipped == 0, !isEnd, want < most {
                want = most
                continue
            }
            let readEnd = generation.readOffset + Int64(bytes.count)
            generation.size = isEnd ? readEnd : max(generation.size, readEnd)
            generation.lineEnd = result.lineEnd == 0 ? 0 : base + Int64(result.lineEnd)
            let chunk = take(generation, records, result, lead: lead + skipped, skipped: skipped)
            generation.scannedTo = isEnd ? readEnd : generation.readOffset
            return chunk
        }
    }

    /// Whether the buffer's `count` bytes agree with all that is known of this stretch of the file: the `lead` bytes that
    /// were before the place read to, and the file's first 1 KiB.
    private func isContinued(_ generation: Generation, lead: Int, count: Int) -> Bool {
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
        let start = Int(clamping: generation.readOffset - Int64(lead))
        if start < generation.prefix.count {
            let known = generation.prefix[start...].prefix(count)
            guard bytes.starts(with: known) else { return false }
        }
        guard generation.readTail.offset == generation.readOffset else { return true }
        return ContentHash.continuing(ContentHash.start, .init(rebasing: bytes[..<lead])) == generation.readTail.hash
    }

    /// Bytes of header lines at the start of `bytes`. The start of a very long header line is skipped before its end is
    /// there.
    private func skipHeader(_ generation: Generation, _ bytes: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while generation.headerLines > 0, let base = bytes.baseAddress, position < bytes.count {
            guard let newline = memchr(base + position, 10, bytes.count - position) else {
                if bytes.count - position > configuration.maxRecordBytes { position = bytes.count }
                break
            }
            position = newline - UnsafeMutableRawPointer(mutating: base) + 1
            generation.headerLines -= 1
        }
        return position
    }

    /// Makes the chunk and moves the place read to. `lead` is where `records` start in the buffer.
    private func take(
        _ generation: Generation,
        _ records: UnsafeRawBufferPointer,
        _ result: RecordSplitter.Result,
        lead: Int,
        skipped: Int
    ) -> RecordChunk? {
        let base = generation.readOffset + Int64(skipped)
        generation.headerBytes += Int64(skipped)
        var sampled = generation.readTail.offset
        for end in result.ends where base + Int64(end) - sampled >= Self.sampleDistance || end == result.ends.last {
            sampled = base + Int64(end)
            generation.samples.append(sample(at: sampled, lead + end))
        }
        let end = base + Int64(result.ends.last ?? 0)
        if end > generation.readOffset {
            generation.readTail = generation.samples.last { $0.offset == end } ?? sample(at: end, lead)
        }
        generation.readOffset = end
        guard let last = result.ends.last else { return nil }
        let start = base - generation.headerBytes
        var chunk = RecordChunk(
            source: generation.source,
            path: generation.path,
            bytes: [],
            recordEnds: result.ends,
            recordOffsets: result.ends.map { base + Int64($0) },
            firstSequence: generation.readSequence,
            startOffset: start,
            endOffset: end,
            skippedBytes: generation.headerBytes,
            splitRecords: result.pieces
        )
        if configuration.keepNewline {
            chunk.bytes = Array(records[..<last])
            if configuration.endsCutRecords { endCutRecords(generation, base, &chunk) }
        } else {
            chunk.bytes = Self.withoutNewlines(records, &chunk.recordEnds)
        }
        generation.headerBytes = 0
        generation.readSequence += Int64(result.ends.count)
        return chunk
    }

    /// Puts a newline behind each record that ends at a cut without one.
    private func endCutRecords(_ generation: Generation, _ base: Int64, _ chunk: inout RecordChunk) {
        for index in chunk.recordEnds.indices.reversed() {
            let end = chunk.recordEnds[index]
            guard generation.cuts.contains(base + Int64(end)), chunk.bytes[end - 1] != 10 else { continue }
            chunk.bytes.insert(10, at: end)
            for later in index..<chunk.recordEnds.count { chunk.recordEnds[later] += 1 }
        }
    }

    /// How far samples of an unacknowledged stretch are apart, in bytes.
    private static var sampleDistance: Int64 { 16_384 }

    private func sample(at offset: Int64, _ position: Int) -> Generation.Sample {
        let length = Int(min(Int64(Fingerprint.longestTail), offset))
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[(position - length)..<position])
        return Generation.Sample(offset: offset, hash: ContentHash.continuing(ContentHash.start, bytes))
    }

    private static func withoutNewlines(_ records: UnsafeRawBufferPointer, _ ends: inout [Int]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: ends.last ?? 0) { output, count in
            let target = UnsafeMutableRawBufferPointer(output)
            var start = 0
            for index in ends.indices {
                let end = ends[index]
                let content = records[end - 1] == 10 ? end - 1 : end
                if content > start, let to = target.baseAddress, let from = records.baseAddress {
                    memcpy(to + count, from + start, content - start)
                }
                count += content - start
                ends[index] = count
                start = end
            }
        }
    }

    private func reserve(_ count: Int) {
        guard buffer.count < count else { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: count, alignment: 64)
    }
}

// MARK: - Descriptors

extension FileTail {
    /// The generation's open file; nil when it cannot be opened, or another file stands there now.
    func open(_ generation: Generation) -> OpenFile? {
        uses += 1
        generation.lastUse = uses
        if let file = generation.file { return file }
        guard let file = OpenFile(path: generation.path) else {
            noteUnreadable(generation, errno)
            return nil
        }
        guard file.status?.key == generation.key else { return nil }
        if generation.unreadableCode != 0 {
            generation.unreadableCode = 0
            note(.readableAgain, generation)
        }
        keep(file, for: generation)
        return file
    }

    func keep(_ file: OpenFile, for generation: Generation) {
        if generation.file == nil { openCount += 1 }
        generation.file = file
        if let path = file.currentPath { generation.realPath = path }
        uses += 1
        generation.lastUse = uses
        while openCount > configuration.maxOpenFiles, let idle = leastNeeded(but: generation) { release(idle) }
    }

    func release(_ generation: Generation) {
        guard generation.file != nil else { return }
        generation.file = nil
        openCount -= 1
    }

    /// Files that are read to the end go first; a deleted one cannot be opened again and never goes.
    private func leastNeeded(but generation: Generation) -> Generation? {
        attached.values.lazy
            .filter { $0 !== generation && $0.file != nil && !$0.isDeleted }
            .min { ($0.unread > 0 ? 1 : 0, $0.lastUse) < ($1.unread > 0 ? 1 : 0, $1.lastUse) }
    }

    func noteUnreadable(_ generation: Generation, _ code: Int32) {
        // A name that is gone is found out about at the next refresh.
        guard code != ENOENT, code != generation.unreadableCode else { return }
        generation.unreadableCode = code
        note(.unreadable(code), generation)
    }
}
