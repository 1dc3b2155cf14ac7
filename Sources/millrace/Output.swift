import AWSProtocol
import Glibc
import Logging

/// Writes to the terminal or to whoever reads.
enum Output {
    static let silent = Logger(label: "millrace") { _ in SwiftLogNoOpLogHandler() }

    /// Colours are for a terminal whose user has not said no. See: https://no-color.org
    static let hasColours = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil

    static func line(_ text: String) { write(Array((text + "\n").utf8), to: STDOUT_FILENO) }

    static func complain(_ text: String) { write(Array(("millrace: " + text + "\n").utf8), to: STDERR_FILENO) }

    static func json(_ body: (inout JSONWriter) -> Void) { write(jsonBytes(body) + [0x0A], to: STDOUT_FILENO) }

    static func write(_ bytes: [UInt8], to file: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { failed(file) }
            rest = rest.dropFirst(count)
        }
    }

    /// Whoever reads our output may leave early: that ends us quietly, as it ends any filter. Anything else is told.
    private static func failed(_ file: Int32) -> Never {
        if errno == EPIPE { _exit(0) }
        if file != STDERR_FILENO {
            complain("the output can't be written: \(String(cString: strerror(errno)))")
        }
        _exit(1)
    }

    /// Columns under their heads, as wide as their widest entry.
    static func table(_ heads: [String], _ rows: [[String]]) {
        let widths = heads.indices.map { column in ([heads] + rows).map { $0[column].count }.max() ?? 0 }
        for row in [heads] + rows {
            let cells = zip(row, widths).map { text, width in text + String(repeating: " ", count: width - text.count) }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            self.line(line)
        }
    }

    static func dim(_ text: String) -> String { hasColours ? "\u{1B}[2m\(text)\u{1B}[0m" : text }
    static func cyan(_ text: String) -> String { hasColours ? "\u{1B}[36m\(text)\u{1B}[0m" : text }

    /// A payload as one line: text as it is, without its last newline; control characters and bytes that are no UTF-8 as
    /// escapes, so that a record can't play tricks on the terminal.
    static func printable(_ data: [UInt8]) -> String {
        var bytes = data[...]
        if bytes.last == 0x0A { bytes = bytes.dropLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return bytes.map { $0 >= 0x20 && $0 < 0x7F ? String(UnicodeScalar($0)) : hex($0) }.joined()
        }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09: result += "\t"
            case 0x0A: result += "\\n"
            case 0..<0x20, 0x7F..<0xA0: result += hex(UInt8(scalar.value))
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func hex(_ byte: UInt8) -> String { "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    /// `2026-11-21T06:09:10.123Z`
    static func time(_ milliseconds: Int64) -> String {
        let text = Array(SigV4Time.text(milliseconds))
        let fraction = String(1000 + milliseconds % 1000).dropFirst()
        return "\(String(text[0..<4]))-\(String(text[4..<6]))-\(String(text[6..<8]))T\(String(text[9..<11])):"
            + "\(String(text[11..<13])):\(String(text[13..<15])).\(fraction)Z"
    }
}
