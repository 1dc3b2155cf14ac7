import CSystemd
import Glibc

/// Writes the entry that a journal handle stands on as a record.
struct EntryWriter {
    enum Outcome {
        case written(shortened: Bool)
        /// libsystemd's negative error number.
        case failed(Int32)
    }

    let configuration: JournalTailConfiguration
    private var data: [UInt8] = []
    private var fields: [Field] = []

    private struct Field {
        var name: Range<Int>
        var value: Range<Int>
        var isWritten = false
    }

    init(_ configuration: JournalTailConfiguration) { self.configuration = configuration }

    /// Appends the record, with its newline if it gets one. After a failure nothing is appended.
    mutating func write(
        _ journal: OpaquePointer,
        realtime: UInt64,
        cursor: UnsafePointer<CChar>,
        into output: inout [UInt8]
    ) -> Outcome {
        let start = output.count
        data.removeAll(keepingCapacity: data.capacity <= 4 * configuration.maxEntryBytes)
        fields.removeAll(keepingCapacity: true)
        var isShortened = false
        let result =
            configuration.format == .json
            ? copyFields(journal, &isShortened) : copyMessage(journal, &isShortened)
        if result < 0 { return .failed(result) }
        switch configuration.format {
        case .message: output.append(contentsOf: data)
        case .json:
            var longest = configuration.maxEntryBytes
            while true {
                writeObject(journal, realtime, cursor, longest: longest, start: start, &output, &isShortened)
                if output.count - start <= configuration.maxEntryBytes { break }
                output.removeSubrange(start...)
                longest /= 2
                isShortened = true
            }
        }
        if configuration.appendsNewline { output.append(10) }
        return .written(shortened: isShortened)
    }

    // MARK: - Reading

    /// What libsystemd hands out is gone with its next call: everything is copied, no more than can be of use.
    private mutating func copyFields(_ journal: OpaquePointer, _ isShortened: inout Bool) -> Int32 {
        sd_journal_restart_data(journal)
        while true {
            var pointer: UnsafeRawPointer?
            var length = 0
            let result = sd_journal_enumerate_available_data(journal, &pointer, &length)
            if result <= 0 { return result }
            guard let pointer, let equals = memchr(pointer, 0x3D, min(length, 256)) else { continue }
            let nameLength = equals - UnsafeMutableRawPointer(mutating: pointer)
            let room = max(0, 2 * configuration.maxEntryBytes - data.count)
            let take = min(length, nameLength + 1 + min(room, configuration.maxEntryBytes))
            if take < length { isShortened = true }
            let base = data.count
            data.append(contentsOf: UnsafeRawBufferPointer(start: pointer, count: take))
            fields.append(
                Field(name: base..<(base + nameLength), value: (base + nameLength + 1)..<(base + take))
            )
        }
    }

    private mutating func copyMessage(_ journal: OpaquePointer, _ isShortened: inout Bool) -> Int32 {
        var pointer: UnsafeRawPointer?
        var length = 0
        let result = sd_journal_get_data(journal, "MESSAGE", &pointer, &length)
        if result == -ENOENT { return 0 }
        guard result >= 0, let pointer else { return result }
        let name = "MESSAGE=".utf8.count
        let bytes = UnsafeRawBufferPointer(start: pointer + name, count: length - name)
        let take = UTF8Text.boundary(bytes, atMost: configuration.maxEntryBytes)
        isShortened = take < bytes.count
        data.append(contentsOf: bytes[..<take])
        return 0
    }

    // MARK: - Writing

    private mutating func writeObject(
        _ journal: OpaquePointer,
        _ realtime: UInt64,
        _ cursor: UnsafePointer<CChar>,
        longest: Int,
        start: Int,
        _ output: inout [UInt8],
        _ isShortened: inout Bool
    ) {
        output.append(contentsOf: "{\"__REALTIME_TIMESTAMP\":\"".utf8)
        Self.decimal(realtime, &output)
        output.append(0x22)
        if configuration.includesCursor {
            output.append(contentsOf: ",\"__CURSOR\":\"".utf8)
            output.append(contentsOf: UnsafeRawBufferPointer(start: cursor, count: strlen(cursor)))
            output.append(0x22)
            var monotonic: UInt64 = 0
            var boot = sd_id128_t()
            if sd_journal_get_monotonic_usec(journal, &monotonic, &boot) >= 0 {
                output.append(contentsOf: ",\"__MONOTONIC_TIMESTAMP\":\"".utf8)
                Self.decimal(monotonic, &output)
                output.append(0x22)
            }
        }
        for index in fields.indices { fields[index].isWritten = false }
        data.withUnsafeBytes { data in
            for index in fields.indices where !fields[index].isWritten {
                // With very many fields even shortened ones do not fit.
                if longest < 16, output.count - start > configuration.maxEntryBytes / 2 { break }
                let name = UnsafeRawBufferPointer(rebasing: data[fields[index].name])
                let others = fields.indices.filter { other in
                    other > index && fields[other].name.count == name.count
                        && Self.isEqual(.init(rebasing: data[fields[other].name]), name)
                }
                output.append(0x2C)
                output.append(0x22)
                output.append(contentsOf: name)
                output.append(0x22)
                output.append(0x3A)
                if others.isEmpty {
                    Self.value(.init(rebasing: data[fields[index].value]), longest, &output, &isShortened)
                    continue
                }
                output.append(0x5B)
                for (position, other) in ([index] + others).enumerated() {
                    if position > 0 { output.append(0x2C) }
                    fields[other].isWritten = true
                    Self.value(.init(rebasing: data[fields[other].value]), longest, &output, &isShortened)
                }
                output.append(0x5D)
            }
        }
        output.append(0x7D)
    }

    private static func value(
        _ bytes: UnsafeRawBufferPointer,
        _ longest: Int,
        _ output: inout [UInt8],
        _ isShortened: inout Bool
    ) {
        let take = UTF8Text.boundary(bytes, atMost: longest)
        if take < bytes.count { isShortened = true }
        let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<take])
        guard UTF8Text.isValid(bytes) else {
            output.append(0x5B)
            for (index, byte) in bytes.enumerated() {
                if index > 0 { output.append(0x2C) }
                decimal(UInt64(byte), &output)
            }
            output.append(0x5D)
            return
        }
        output.append(0x22)
        var plain = 0
        for (index, byte) in bytes.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5C {
            output.append(contentsOf: bytes[plain..<index])
            plain = index + 1
            escape(byte, &output)
        }
        output.append(contentsOf: bytes[plain...])
        output.append(0x22)
    }

    private static func escape(_ byte: UInt8, _ output: inout [UInt8]) {
        output.append(0x5C)
        switch byte {
        case 0x0A: output.append(0x6E)
        case 0x09: output.append(0x74)
        case 0x0D: output.append(0x72)
        case 0x22, 0x5C: output.append(byte)
        default:
            output.append(contentsOf: "u00".utf8)
            output.append(byte < 0x10 ? 0x30 : 0x31)
            output.append(Array("0123456789abcdef".utf8)[Int(byte & 15)])
        }
    }

    private static func isEqual(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard let first = one.baseAddress, let second = other.baseAddress else { return one.isEmpty && other.isEmpty }
        return memcmp(first, second, one.count) == 0
    }

    private static func decimal(_ number: UInt64, _ output: inout [UInt8]) {
        if number >= 10 { decimal(number / 10, &output) }
        output.append(0x30 + UInt8(number % 10))
    }
}

/// UTF-8 as far as it is needed here.
enum UTF8Text {
    /// The largest length up to `most` that does not part a character.
    static func boundary(_ bytes: UnsafeRawBufferPointer, atMost most: Int) -> Int {
        guard bytes.count > most else { return bytes.count }
        for back in 0..<4 where most >= back && bytes[most - back] & 0xC0 != 0x80 { return most - back }
        return most
    }

    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        let count = bytes.count
        while index < count {
            while index + 8 <= count,
                bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                index += 8
            }
            guard index < count else { break }
            let first = bytes[index]
            let length: Int
            let lowest: UInt8
            let highest: UInt8
            switch first {
            case 0..<0x80: (length, lowest, highest) = (1, 0, 0)
            case 0xC2...0xDF: (length, lowest, highest) = (2, 0x80, 0xBF)
            case 0xE0: (length, lowest, highest) = (3, 0xA0, 0xBF)
            case 0xED: (length, lowest, highest) = (3, 0x80, 0x9F)
            case 0xE1...0xEF: (length, lowest, highest) = (3, 0x80, 0xBF)
            case 0xF0: (length, lowest, highest) = (4, 0x90, 0xBF)
            case 0xF1...0xF3: (length, lowest, highest) = (4, 0x80, 0xBF)
            case 0xF4: (length, lowest, highest) = (4, 0x80, 0x8F)
            default: return false
            }
            guard index + length <= count else { return false }
            if length > 1 {
                guard (lowest...highest).contains(bytes[index + 1]) else { return false }
                for next in (index + 2)..<max(index + 2, index + length) where bytes[next] & 0xC0 != 0x80 {
                    return false
                }
            }
            index += length
        }
        return true
    }
}
