/// A pattern of `java.time.format.DateTimeFormatter`, in the letters that make sense in an object's name, for UTC and
/// English: `y u M L d D H k K h m s S A n N a E Q q G X x Z z`, quoted text and other characters.
///
/// `yyyy'/'MM-dd` gives `2026/11-21`.
public struct TimestampPattern: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case literal(String)
        case field(Character, Int)
    }

    private let parts: [Part]

    /// Reads a pattern. Throws `SinkError` with code `prefix`, naming the letter that is not understood.
    public init(_ text: String) throws(SinkError) {
        func refuse(_ why: String) -> SinkError { SinkError(prefix: "timestamp pattern '\(text)': \(why)") }
        var parts: [Part] = []
        var literal = ""
        func close() {
            if !literal.isEmpty { parts.append(.literal(literal)) }
            literal = ""
        }
        let characters = Array(text)
        var at = 0
        while at < characters.count {
            let character = characters[at]
            if character == "'" {
                let start = at
                var quoted = ""
                at += 1
                while at < characters.count, characters[at] != "'" || characters[at...].dropFirst().first == "'" {
                    at += characters[at] == "'" ? 2 : 1
                    quoted.append(characters[at - 1])
                }
                guard at < characters.count else { throw refuse("the quote at character \(start + 1) has no end") }
                literal += quoted.isEmpty ? "'" : quoted
                at += 1
                continue
            }
            guard character.isASCII, character.isLetter else {
                guard !"{}#[]".contains(character) else {
                    throw refuse("'\(character)' is reserved; put it into single quotes")
                }
                literal.append(character)
                at += 1
                continue
            }
            var count = 1
            while at + count < characters.count, characters[at + count] == character { count += 1 }
            guard let most = Self.mostLetters[character] else {
                throw refuse("the letter '\(character)' is not supported; put plain text into single quotes")
            }
            guard count <= most else { throw refuse("more than \(most) of the letter '\(character)'") }
            close()
            parts.append(.field(character, count))
            at += count
        }
        close()
        self.parts = parts
    }

    private static let mostLetters: [Character: Int] = [
        "y": 9, "u": 9, "M": 4, "L": 4, "d": 2, "D": 3, "H": 2, "k": 2, "K": 2, "h": 2, "m": 2, "s": 2, "S": 9, "A": 9,
        "n": 9, "N": 15, "a": 1, "E": 4, "Q": 2, "q": 2, "G": 3, "X": 5, "x": 5, "Z": 5, "z": 3,
    ]

    /// The moment in this pattern.
    public func format(_ time: CivilTime) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .literal(let literal): text += literal
            case .field(let letter, let count): text += Self.field(letter, count, time)
            }
        }
        return text
    }

    private static func field(_ letter: Character, _ count: Int, _ time: CivilTime) -> String {
        let ofDay = ((time.hour * 60 + time.minute) * 60 + time.second) * 1000 + time.millisecond
        switch letter {
        case "y", "u":
            let year = letter == "y" && time.year <= 0 ? 1 - time.year : time.year
            return count == 2 ? CivilTime.padded(((year % 100) + 100) % 100, 2) : CivilTime.padded(year, count)
        case "M", "L":
            let name = months[time.month - 1]
            return count == 4 ? name : count == 3 ? String(name.prefix(3)) : CivilTime.padded(time.month, count)
        case "E":
            let name = weekdays[time.weekday - 1]
            return count == 4 ? name : String(name.prefix(3))
        case "S": return String((CivilTime.padded(time.millisecond, 3) + "000000").prefix(count))
        case "n": return CivilTime.padded(time.millisecond * 1_000_000, count)
        case "A": return CivilTime.padded(ofDay, count)
        case "N": return CivilTime.padded(ofDay * 1_000_000, count)
        case "a": return time.hour < 12 ? "AM" : "PM"
        case "G": return time.year > 0 ? "AD" : "BC"
        case "X": return "Z"
        case "x": return count == 1 ? "+00" : count % 2 == 0 ? "+0000" : "+00:00"
        case "Z": return count == 4 ? "GMT" : count == 5 ? "Z" : "+0000"
        case "z": return "UTC"
        default: return CivilTime.padded(number(letter, time), count)
        }
    }

    private static func number(_ letter: Character, _ time: CivilTime) -> Int {
        switch letter {
        case "d": time.day
        case "D": time.dayOfYear
        case "H": time.hour
        case "k": time.hour == 0 ? 24 : time.hour
        case "K": time.hour % 12
        case "h": time.hour % 12 == 0 ? 12 : time.hour % 12
        case "m": time.minute
        case "s": time.second
        default: (time.month + 2) / 3
        }
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
}
