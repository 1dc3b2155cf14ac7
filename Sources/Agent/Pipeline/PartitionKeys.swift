import CChecksums

/// How the partition keys of a request are made. Towards a collector that drops repeated records a key depends on nothing
/// but the record, so that a record sent again meets the shard that knows it.
enum PartitionKeys: Sendable, Equatable {
    /// Delivery streams have none.
    case none
    /// A number that is constant over 4,096 consecutive records of a source: a request then touches few shards.
    case perStretch
    /// A number of its own for each record, as AWS wants it for an even spread.
    case perRecord
    /// The MD5 of the data, in hexadecimal.
    case content

    /// The longest key, in bytes.
    var longest: Int {
        switch self {
        case .none: 0
        case .perStretch, .perRecord: 20
        case .content: 32
        }
    }

    /// The number whose decimal digits are the key, where the key is a number.
    func number(producer: UInt64, sequence: Int64) -> UInt64 {
        Self.mix(producer, UInt64(bitPattern: self == .perStretch ? sequence >> 12 : sequence))
    }

    /// Mixes two numbers so that every bit of the result depends on every bit of both (the finalizer of SplitMix64,
    /// https://prng.di.unimi.it/splitmix64.c, twice).
    static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        func finalize(_ value: UInt64) -> UInt64 {
            var value = value &+ 0x9E37_79B9_7F4A_7C15
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return value ^ value >> 31
        }
        return finalize(finalize(left) ^ right)
    }
}
