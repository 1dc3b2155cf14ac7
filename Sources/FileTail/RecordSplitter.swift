import Glibc

/// Finds the ends of records in bytes that start at the start of a record. Where a record ends depends on the bytes and on
/// the cuts alone, never on how many bytes were there at the time: reading again gives the same records.
struct RecordSplitter {
    let maxRecordBytes: Int
    let multiLineStart: (@Sendable (UnsafeRawBufferPointer) -> Bool)?

    /// Record ends, as offsets behind the record and its newline.
    struct Result {
        var ends: [Int] = []
        /// Records whose line goes on in the next record.
        var pieces = 0
        /// The end of the last whole line that is not part of a record yet, 0 when there is none.
        var lineEnd = 0
    }

    /// `cuts` are offsets into `bytes`, rising, where a record ends whatever is there.
    func split(_ bytes: UnsafeRawBufferPointer, cuts: [Int]) -> Result {
        var result = Result()
        guard let base = bytes.baseAddress else { return result }
        result.ends.reserveCapacity(bytes.count / 128)
        var start = 0
        for cut in cuts where cut <= bytes.count && cut > start {
            run(base, from: &start, limit: cut, isCut: true, &result)
        }
        run(base, from: &start, limit: bytes.count, isCut: false, &result)
        return result
    }

    private func run(
        _ base: UnsafeRawPointer,
        from start: inout Int,
        limit: Int,
        isCut: Bool,
        _ result: inout Result
    ) {
        result.lineEnd = 0
        if let multiLineStart {
            while start < limit, let end = multiLineEnd(base, start, limit, isCut, multiLineStart, &result) {
                result.ends.append(end)
                start = end
            }
            return
        }
        while start < limit {
            let window = min(limit - start, maxRecordBytes + 1)
            if let newline = memchr(base + start, 10, window) {
                start = newline - UnsafeMutableRawPointer(mutating: base) + 1
            } else if limit - start > maxRecordBytes {
                start = pieceEnd(base, start)
                result.pieces += 1
            } else if isCut {
                start = limit
            } else {
                return
            }
            result.ends.append(start)
        }
    }

    /// A line is judged by its first `maxRecordBytes` bytes, so that no later byte can change the judgement.
    private func multiLineEnd(
        _ base: UnsafeRawPointer,
        _ start: Int,
        _ limit: Int,
        _ isCut: Bool,
        _ starts: (UnsafeRawBufferPointer) -> Bool,
        _ result: inout Result
    ) -> Int? {
        var line = start
        while line < limit {
            let window = min(limit - line, maxRecordBytes + 1)
            let newline = memchr(base + line, 10, window).map { $0 - UnsafeMutableRawPointer(mutating: base) }
            guard newline != nil || window > maxRecordBytes || isCut else { break }
            let known = newline ?? line + window
            if line > start, starts(.init(start: base + line, count: min(known - line, maxRecordBytes))) { return line }
            if known - start > maxRecordBytes {
                result.pieces += 1
                return pieceEnd(base, start)
            }
            guard let newline else { return limit }
            line = newline + 1
        }
        if isCut { return limit }
        result.lineEnd = line > start ? line : 0
        return nil
    }

    /// The largest end of a piece that does not part a UTF-8 character. The byte behind the longest piece is there.
    private func pieceEnd(_ base: UnsafeRawPointer, _ start: Int) -> Int {
        let longest = start + maxRecordBytes
        for back in 0..<4 where base.load(fromByteOffset: longest - back, as: UInt8.self) & 0xC0 != 0x80 {
            return longest - back
        }
        return longest
    }
}
