import Glibc

/// The parts of a journal cursor, `s=…;i=…;b=…;m=…;t=…;x=…`, that matter here.
struct JournalCursor: Equatable {
    /// The numbering's id, 32 hexadecimal digits.
    var seqnumID: String
    var sequence: Int64
    /// Microseconds since 1970.
    var realtime: UInt64

    init?(_ text: String) {
        var id: Substring?
        var number: UInt64?
        var time: UInt64?
        for part in text.split(separator: ";") {
            let value = part.dropFirst(2)
            switch part.prefix(2) {
            case "s=": id = value
            case "i=": number = UInt64(value, radix: 16)
            case "t=": time = UInt64(value, radix: 16)
            default: break
            }
        }
        guard let id, id.utf8.count == 32, let number, let sequence = Int64(exactly: number), let time else {
            return nil
        }
        seqnumID = String(id)
        self.sequence = sequence
        realtime = time
    }

    /// Number and place of the numbering's id in a cursor as libsystemd writes it; nil when it looks otherwise.
    static func sequence(_ cursor: UnsafePointer<CChar>) -> Int64? {
        guard cursor[0] == 0x73, cursor[1] == 0x3D, strnlen(cursor, 40) == 40, cursor[34] == 0x3B, cursor[35] == 0x69
        else { return nil }
        let number = strtoull(cursor + 37, nil, 16)
        return Int64(exactly: number)
    }

    /// Where the id's digits start in a cursor.
    static let idOffset = 2
    static let idLength = 32
}
