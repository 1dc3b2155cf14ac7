import StreamModel
import Testing

@Suite("sequence numbers of any version")
struct AnySequenceNumberTests {
    /// The decimal digits of a number in hexadecimal.
    private func decimal(_ hex: String) -> String {
        var digits: [Int] = [0]
        for character in hex {
            var carry = character.hexDigitValue ?? 0
            for index in digits.indices {
                let sum = digits[index] * 16 + carry
                (digits[index], carry) = (sum % 10, sum / 10)
            }
            while carry > 0 {
                digits.append(carry % 10)
                carry /= 10
            }
        }
        return digits.reversed().map(String.init).joined()
    }

    @Test("version 2 tells creation, arrival and shard")
    func second() throws {
        let number = SequenceNumber(created: 1_795_000_000, counter: 77, time: 1_795_000_123, shard: 19)
        let any = try #require(AnySequenceNumber(decimal: number.description))
        #expect(any.version == 2 && any.created == 1_795_000_000 && any.time == 1_795_000_123 && any.shard == 19)
        #expect(any.description == number.description)
    }

    @Test("version 1 has the arrival in another place")
    func first() throws {
        let text = decimal("2" + "06afd7000" + "3" + "00" + "06afd70ff" + "0123456789abcd" + "05" + "00000013" + "1")
        let any = try #require(AnySequenceNumber(decimal: text))
        #expect(any.version == 1 && any.created == 0x6AFD_7000 && any.time == 0x6AFD_70FF && any.shard == 0x13)
        #expect(any.description == text)
    }

    @Test("version 0 ends with the shard, tells no arrival, and is printed with its leading 1")
    func zeroth() throws {
        let five = try #require(AnySequenceNumber(decimal: "5"))
        #expect(five.version == 0 && five.shard == 5 && five.created == 0 && five.time == nil)
        let zero = try #require(AnySequenceNumber(decimal: "0"))
        #expect(zero.description == "21267647932558653966460912964485513216")
        let small = try #require(AnySequenceNumber(decimal: "425352958651173072921826052383309826"))
        #expect(small.shard == 2 && small.description == "21693000891209827039382739016868823042")
        let large = try #require(AnySequenceNumber(decimal: decimal("f3bb2cc3d7ff7fffffffffffffff0000")))
        #expect(large.shard == 0 && large.description == "26227199374821822965252748908982894592")
    }

    @Test("all of version 2's fields at their ends are read")
    func ends() {
        #expect(AnySequenceNumber(decimal: decimal("20000000000000000000000000000000000000000000002"))?.shard == 0)
        let all = AnySequenceNumber(decimal: decimal("2ffffffffff7fffffffffffffff000000000007fffffff2"))
        #expect(all?.shard == 0x7FFF_FFFF && all?.time == 0 && all?.created == 0xF_FFFF_FFFF)
    }

    @Test("a shard's index has a sign, as on AWS")
    func negative() throws {
        let any = try #require(AnySequenceNumber(decimal: decimal("20000000000000000000000000000000000000800000002")))
        #expect(any.shard == .min && any.shardName == "shardId--02147483648")
        let one = try #require(AnySequenceNumber(decimal: decimal("20000000000000000000000000000000000000ffffffff2")))
        #expect(one.shard == -1 && one.shardName == "shardId--00000000001")
    }

    @Test(
        "what no layout fits is no sequence number",
        arguments: [
            "20000000000000000000000000000000000000000000000", "20000000000000000000000000000000000000000000003",
            "20000000000000000000000000000000000000000000004", "30000000000000000000000000000000000000000000001",
            "1ffffffffff7fffffffffffffff000000000007fffffff2", "20000000000800000000000000000000000000000000002",
            "13bb2cc3d80000000000000000000000",
            "100000000000000000000000000000000", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ]
    )
    func refused(hex: String) { #expect(AnySequenceNumber(decimal: decimal(hex)) == nil) }

    @Test("what is no decimal number is no sequence number", arguments: ["", "-1", "1x", "0x1", " 1", "\u{0661}"])
    func noNumber(text: String) { #expect(AnySequenceNumber(decimal: text) == nil) }

    @Test("leading zeros change nothing in a number, and are not printed")
    func leadingZeros() throws {
        let number = SequenceNumber(created: 1_795_000_000, counter: 65_536, time: 1_795_000_000, shard: 3).description
        let any = try #require(AnySequenceNumber(decimal: "00" + number))
        #expect(any.description == number)
    }
}
