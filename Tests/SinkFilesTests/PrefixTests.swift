import Foundation
import Testing

@testable import SinkFiles

/// Always the same numbers.
struct Counting: RandomNumberGenerator {
    var state: UInt64 = 1
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }
}

func milliseconds(_ text: String) throws -> Int64 {
    let format = ISO8601DateFormatter()
    format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    return Int64((try #require(format.date(from: text)).timeIntervalSince1970 * 1000).rounded())
}

@Suite struct PrefixTests {
    @Test(
        "a pattern gives what Java's DateTimeFormatter gives",
        arguments: [
            ("yyyy/MM/dd/HH/", "2026-11-21T05:38:15.042Z", "2026/11/21/05/"),
            ("y-M-d H:m:s", "2026-01-02T03:04:05.000Z", "2026-1-2 3:4:5"),
            ("yyyyMMdd'T'HHmmssSSS", "2024-02-29T23:59:59.999Z", "20240229T235959999"),
            ("yy", "2005-06-07T00:00:00.000Z", "05"),
            ("DDD", "2024-12-31T00:00:00.000Z", "366"),
            ("DDD", "2023-12-31T00:00:00.000Z", "365"),
            ("D", "2024-03-01T00:00:00.000Z", "61"),
            ("D", "1900-03-01T00:00:00.000Z", "60"),
            ("dd", "2000-02-29T12:00:00.000Z", "29"),
            ("yyyy-MM-dd", "1969-12-31T23:59:59.999Z", "1969-12-31"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000"),
            ("SS", "2026-01-01T00:00:00.987Z", "98"),
            ("SSSSSS", "2026-01-01T00:00:00.987Z", "987000"),
            ("'it''s' yyyy", "2026-01-01T00:00:00.000Z", "it's 2026"),
            ("''yyyy''", "2026-01-01T00:00:00.000Z", "'2026'"),
            ("'year='yyyy'/month='MM", "2026-01-01T00:00:00.000Z", "year=2026/month=01"),
            ("MMM MMMM", "2026-09-01T00:00:00.000Z", "Sep September"),
            ("E EEEE", "2026-11-21T00:00:00.000Z", "Sat Saturday"),
            ("h a K k", "2026-01-01T00:30:00.000Z", "12 AM 0 24"),
            ("hh a", "2026-01-01T13:30:00.000Z", "01 PM"),
            ("Q", "2026-08-01T00:00:00.000Z", "3"),
            ("X x Z z", "2026-08-01T00:00:00.000Z", "Z +00 +0000 UTC"),
        ]
    )
    func pattern(pattern: String, moment: String, expected: String) throws {
        let time = CivilTime(milliseconds: try milliseconds(moment))
        #expect(try TimestampPattern(pattern).format(time) == expected)
    }

    @Test("civil dates agree with the Gregorian calendar over four centuries")
    func calendar() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        var generator = Counting()
        for _ in 0..<5000 {
            let seconds = Int64.random(in: -2_200_000_000...12_000_000_000, using: &generator)
            let time = CivilTime(milliseconds: seconds * 1000)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second, .weekday],
                from: Date(timeIntervalSince1970: Double(seconds))
            )
            #expect(time.year == parts.year && time.month == parts.month && time.day == parts.day)
            #expect(time.hour == parts.hour && time.minute == parts.minute && time.second == parts.second)
            #expect(time.weekday % 7 + 1 == parts.weekday)
        }
    }

    @Test(
        "a pattern that can't be understood is refused and named",
        arguments: [
            ("yyyy'/", "the quote at character 5 has no end"), ("yyyy/b", "the letter 'b' is not supported"),
            ("HHH", "more than 2 of the letter 'H'"), ("[yyyy]", "'[' is reserved"),
            ("'''", "the quote at character 1"),
        ]
    )
    func badPattern(pattern: String, reason: String) {
        let error = #expect(throws: SinkError.self) { try TimestampPattern(pattern) }
        #expect(error?.code == .prefix)
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test(
        "a prefix is evaluated as Firehose evaluates it",
        arguments: [
            ("", "2026/11/21/05/"),
            ("foo", "foo2026/11/21/05/"),
            ("logs/", "logs/2026/11/21/05/"),
            ("a/!{timestamp:yyyy}/b/!{timestamp:MM}/", "a/2026/b/11/"),
            ("!{timestamp:'year='yyyy'/day='dd}/x", "year=2026/day=21/x"),
            ("costs $5 {braces}/!{timestamp:yyyy}-", "costs $5 {braces}/2026-"),
            ("é!{timestamp:HH}", "é05"),
        ]
    )
    func prefix(prefix: String, expected: String) throws {
        var generator = Counting()
        let time = CivilTime(milliseconds: try milliseconds("2026-11-21T05:38:15.042Z"))
        #expect(try SinkPrefix(prefix).evaluate(at: time, using: &generator) == expected)
    }

    @Test("each random string is a new one of 11 letters and digits")
    func random() throws {
        var generator = Counting()
        let text = try SinkPrefix("!{firehose:random-string}/!{firehose:random-string}/!{timestamp:yyyy}")
            .evaluate(at: CivilTime(milliseconds: 0), using: &generator)
        let parts = text.split(separator: "/")
        #expect(parts.count == 3 && parts[0].count == 11 && parts[1].count == 11 && parts[0] != parts[1])
        #expect(parts[0].allSatisfy { $0.isLetter || $0.isNumber })
    }

    @Test(
        "an expression that can't be understood is refused and named",
        arguments: [
            "!{timestamp:yyyy", "!{timestamp}", "!{timestamp:}", "!{firehose:nothing}", "!{other:x}", "!{}",
            "!{partitionKeyFromQuery:tenant}",
        ]
    )
    func badPrefix(prefix: String) {
        let error = #expect(throws: SinkError.self) { try SinkPrefix(prefix) }
        #expect(error?.description.contains(prefix) == true)
    }

    @Test("an object is named after its oldest record's moment")
    func objectName() throws {
        var generator = Counting()
        let name = ObjectName(
            prefix: try SinkPrefix("logs/"),
            stream: "clicks",
            version: "3",
            fileExtension: ".log"
        )
        let path = try name.make(arrivalMilliseconds: try milliseconds("2026-11-21T05:38:15.042Z"), using: &generator)
        let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        let pattern = "^logs/2026/11/21/05/clicks-3-2026-11-21-05-38-15-\(uuid)\\.log$"
        #expect(path.description.range(of: pattern, options: .regularExpression) != nil, "\(path)")
    }

    @Test(
        "a name can't leave the sink's folder",
        arguments: [
            "../x", "a/../../x", "/etc/x", "./x", "a/./x", "", "a/", "a\0b", ".inprogress/x",
            String(repeating: "n", count: 256),
        ]
    )
    func unsafeName(name: String) {
        let error = #expect(throws: SinkError.self) { try SinkPath(name) }
        #expect(error?.code == .unsafeName)
    }

    @Test("quoted dots in a pattern don't leave the folder either")
    func quotedDots() throws {
        var generator = Counting()
        let name = ObjectName(prefix: try SinkPrefix("!{timestamp:'../../'yyyy/}"), stream: "s", version: "1")
        let error = #expect(throws: SinkError.self) { try name.make(arrivalMilliseconds: 0, using: &generator) }
        #expect(error?.code == .unsafeName)
    }

    @Test("a prefix longer than 512 characters is refused")
    func tooLong() throws {
        var generator = Counting()
        let prefix = try SinkPrefix(String(repeating: "p", count: 600))
        #expect(throws: SinkError.self) { try prefix.evaluate(at: CivilTime(milliseconds: 0), using: &generator) }
    }
}
