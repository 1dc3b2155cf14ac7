/// The header `x-millrace-producer`: which source numbered which records of a request. A collector that has a record of a
/// source already drops its repetition.
///
///     <source, 16 hex digits>:<first number>+<count>[;...]
enum ProducerHeader {
    static let name = "x-millrace-producer"

    /// The stretches of consecutive numbers of the selected records, in the order of the request.
    static func text(_ batch: Batch, only selection: [Int]? = nil) -> String {
        var text = ""
        var current: (producer: UInt64, first: Int64, count: Int64)?
        func close() {
            guard let current else { return }
            let digits = String(current.producer, radix: 16)
            if !text.isEmpty { text += ";" }
            text += String(repeating: "0", count: 16 - digits.utf8.count) + digits
            text += ":\(current.first)+\(current.count)"
        }
        batch.forEach(selection) { chunk, record in
            let sequence = chunk.sequence(record)
            if let stretch = current, stretch.producer == chunk.producer, stretch.first + stretch.count == sequence {
                current?.count += 1
            } else {
                close()
                current = (chunk.producer, sequence, 1)
            }
        }
        close()
        return text
    }
}
