import StreamModel
import Testing

@Suite("sequence numbers")
struct SequenceNumberTests {
    @Test("are 56 decimal digits that start with 49")
    func shape() {
        let number = SequenceNumber(created: 1_795_000_000, position: 64, index: 3, time: 1_795_000_010, shard: 17)
        #expect(number.description.count == 56)
        #expect(number.description.hasPrefix("49"))
    }

    @Test("print and parse back, at the limits of every field")
    func roundTrip() throws {
        for created in [0, 1_795_000_000, 0xF_FFFF_FFFF] as [UInt64] {
            for counter in [0, 1, 0xFFFF, 64 << 16, 0x7FFF_FFFF_FFFF_FFFF] as [UInt64] {
                for shard in [0, 15, 16, 0x7FFF_FFFF] as [UInt32] {
                    let number = SequenceNumber(created: created, counter: counter, time: 1_795_000_010, shard: shard)
                    #expect(SequenceNumber(decimal: number.description) == number)
                }
            }
        }
    }

    @Test("have the hexadecimal layout that AWS's clients have seen")
    func layout() throws {
        let number = SequenceNumber(created: 0x1_2345_6789, counter: 0xAB, time: 0x1_2345_6799, shard: 3)
        // 2 | created | low nibble of the shard | counter | 00 | time | shard | 2
        let hex = "2" + "123456789" + "3" + "00000000000000ab" + "00" + "123456799" + "00000003" + "2"
        var digits: [UInt8] = [0]
        for character in hex {
            var carry = UInt32(character.hexDigitValue ?? 0)
            for index in digits.indices.reversed() {
                let value = UInt32(digits[index]) * 16 + carry
                digits[index] = UInt8(value % 10)
                carry = value / 10
            }
            while carry > 0 {
                digits.insert(UInt8(carry % 10), at: 0)
                carry /= 10
            }
        }
        #expect(number.description == digits.map(String.init).joined())
    }

    @Test("order by creation, then position, then index, as numbers and as equally long text")
    func order() {
        let numbers = [
            SequenceNumber.start(created: 100, shard: 5),
            SequenceNumber(created: 100, position: 64, index: 0, time: 200, shard: 5),
            SequenceNumber(created: 100, position: 64, index: 1, time: 150, shard: 5),
            SequenceNumber(created: 100, position: 65, index: 0, time: 120, shard: 5),
            SequenceNumber.end(created: 100, closed: 120, shard: 5),
            SequenceNumber.start(created: 101, shard: 0),
        ]
        #expect(numbers == numbers.sorted())
        #expect(numbers.map(\.description) == numbers.map(\.description).sorted())
    }

    @Test(
        "refuse text they can't have printed",
        arguments: ["", "0", "49", "x", String(repeating: "9", count: 56), "-1"]
    )
    func refusal(text: String) { #expect(SequenceNumber(decimal: text) == nil) }
}
