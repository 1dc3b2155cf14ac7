import AWSProtocol
import CChecksums
import StreamModel

/// Finds the hash keys of a request's records, which place them in shards.
struct KeyRouter {
    /// What places records.
    enum Rule {
        /// The partition key's MD5, or an explicit hash key. Equal keys share a shard.
        case keys
        /// The stream itself: records go round the open shards in turn, from this one on.
        case turns(from: Int)
    }

    let rule: Rule
    private var last: (text: UnsafeBufferPointer<UInt8>, key: HashKey)?

    init(_ rule: Rule) { self.rule = rule }

    /// - Parameters:
    ///   - index: the record's in its request.
    ///   - sequence: the number its producer gave it, where it did.
    mutating func hash(
        _ entry: PutEntry,
        _ index: Int,
        _ sequence: SequenceCursor.Sequence?,
        _ bytes: PutBytes,
        _ routes: Routes
    ) throws(AWSError) -> HashKey {
        switch rule {
        case .keys: return try hash(entry, bytes)
        case .turns(let first):
            // A record that is sent again must meet its first copy: its number places it, not the turn.
            if let sequence { return Self.hash(sequence) }
            return routes.writers[(first + index) % routes.writers.count].shard.range.start
        }
    }

    private mutating func hash(_ entry: PutEntry, _ bytes: PutBytes) throws(AWSError) -> HashKey {
        if entry.explicitHashKey.isPresent {
            if let key = HashKey(digits: bytes[entry.explicitHashKey]) { return key }
            throw .invalidArgument(
                "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
                    + "Specified value was \(bytes.string(entry.explicitHashKey))"
            )
        }
        guard entry.partitionKey.isPresent else { return HashKey(0) }
        let text = bytes[entry.partitionKey]
        // A key equal to the one before it is not hashed again.
        if let last, last.text.count == text.count,
            memoryEqual(last.text.baseAddress!, text.baseAddress!, text.count)
        {
            return last.key
        }
        let key = Self.md5(UnsafeRawBufferPointer(text))
        last = (text, key)
        return key
    }

    private static func hash(_ sequence: SequenceCursor.Sequence) -> HashKey {
        withUnsafeBytes(of: (sequence.producer.littleEndian, sequence.number.littleEndian)) { md5($0) }
    }

    private static func md5(_ text: UnsafeRawBufferPointer) -> HashKey {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { digest in
            millrace_md5(text.baseAddress, text.count, digest.baseAddress!)
            return HashKey(bigEndian: digest.load(as: (UInt64, UInt64).self))
        }
    }
}
