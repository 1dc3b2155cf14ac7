import AWSProtocol
import DynamoDBTypes
import Testing

@Suite("Numbers")
struct DecimalNumberTests {
    @Test(
        "have one form, however they are written",
        arguments: [
            ("5.81E-4", "0.000581"), ("0.000581", "0.000581"), ("1e2", "100"), ("+7", "7"), ("-0", "0"),
            ("007.50", "7.5"),
            (".5", "0.5"), ("1.", "1"), ("-12.340", "-12.34"), ("1E+3", "1000"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ]
    )
    func form(_ text: String, _ plain: String) throws {
        #expect(try DecimalNumber(parsing: text).description == plain)
        #expect(try DecimalNumber(parsing: text) == DecimalNumber(parsing: plain))
    }

    @Test(
        "refuse what is no number, or too long, or too large",
        arguments: ["", "abc", "1e", "--1", "1.2.3", "0x10", " 1", "NaN", "1e126", "1e-131", "1" + "1".repeated(38)]
    )
    func refused(_ text: String) {
        #expect(throws: AWSError.validation("")) { try DecimalNumber(parsing: text) }
    }

    @Test(
        "add exactly",
        arguments: [
            ("1", "2", "3"), ("0.1", "0.2", "0.3"), ("-5", "5", "0"), ("1e37", "1", "1" + "0".repeated(36) + "1"),
            ("-1.5", "0.25", "-1.25"), ("99", "1", "100"), ("1e38", "-1", "9".repeated(38)),
        ]
    )
    func add(_ left: String, _ right: String, _ sum: String) throws {
        #expect(try DecimalNumber(parsing: left).adding(DecimalNumber(parsing: right)).description == sum)
    }

    @Test("refuse a sum of more than 38 digits")
    func tooManyDigits() throws {
        let large = try DecimalNumber(parsing: "1e38")
        #expect(throws: AWSError.validation("")) { try large.adding(DecimalNumber(parsing: "1.5")) }
        #expect(throws: AWSError.validation("")) { try large.adding(DecimalNumber(parsing: "1e-100")) }
    }

    @Test("order by value, and so does their sortable text")
    func order() throws {
        let texts = [
            "-1e125", "-100", "-99.5", "-99", "-1", "-0.5", "-1e-130", "0", "1e-130", "0.5", "1", "9", "10", "99.5",
            "1e125",
        ]
        let numbers = try texts.map { try DecimalNumber(parsing: $0) }
        #expect(numbers.shuffled().sorted() == numbers)
        let sortable = numbers.map(\.sortable)
        #expect(sortable.shuffled().sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } == sortable)
    }
}

extension String {
    fileprivate func repeated(_ count: Int) -> String { String(repeating: self, count: count) }
}
