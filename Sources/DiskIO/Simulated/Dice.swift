/// Numbers by chance from a seed: SplitMix64. The same seed gives the same numbers.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to `limit`, which must be above 0.
    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    /// True as often as `rate` says, from 0 to 1. A rate of 0 draws no number.
    mutating func happens(_ rate: Double) -> Bool {
        rate > 0 && Double(next() >> 11) / Double(1 << 53) < rate
    }
}
