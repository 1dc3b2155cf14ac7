import AWSProtocol
import ConfigurationFile
import FileTail
import JournalTail

private enum InitialPosition: String, CaseIterable {
    case endOfFile = "END_OF_FILE"
    case startOfFile = "START_OF_FILE"
}

private enum JournalFormat: String, CaseIterable {
    case json, message
}

extension FlowConfiguration {
    /// Reads one flow; nil when it has no input or no destination, which is noted as a problem.
    init?(_ keys: inout KeyReader) {
        let destination = Self.destination(&keys)
        let input = Self.input(&keys, destination)
        if let input, let destination {
            self.init(id: Self.id(input, destination), input: input, destination: destination)
        } else {
            // The rest is read all the same, for its mistakes.
            self.init(id: "", input: .journal(JournalTailConfiguration()), destination: destination ?? .stream(""))
        }
        readBuffers(&keys)
        let option = keys.choice("partitionKeyOption", PartitionKeyOption.self)
        if let option {
            partitionKey = option
            if case .deliveryStream = self.destination {
                keys.problem(
                    "partitionKeyOption",
                    "belongs to data streams; remove it from this delivery stream's flow"
                )
            }
        }
        if let bytes = keys.integer("aggregatedRecordSizeBytes", in: 0...1_024_000), bytes > 0 {
            keys.problem(
                "aggregatedRecordSizeBytes",
                "lines are not packed together yet; remove the key, or set it to 0"
            )
        }
        readProcessing(&keys)
        keys.ignore(
            ["publishQueueCapacity", "waitOnFullPublishQueueMillis", "waitOnEmptyPublishQueueMillis"],
            because: "one request is under way and one is ready, and the file itself is the queue"
        )
        keys.ignore(["log.emitInternalMetrics"], because: "`millrace-agent status` shows the counters")
        keys.finish()
        if input == nil || destination == nil { return nil }
    }

    private static func id(_ input: FlowInput, _ destination: FlowDestination) -> String {
        let from =
            switch input {
            case .files(let files): files.pattern
            case .journal(let journal):
                (["journal", journal.directory ?? ""] + journal.matches.sorted()).filter { !$0.isEmpty }
                    .joined(separator: ":") + (journal.format == .message ? ":message" : "")
            }
        switch destination {
        case .stream(let name): return "kinesis:\(name):\(from)"
        case .deliveryStream(let name): return "fh:\(name):\(from)"
        }
    }

    private static func destination(_ keys: inout KeyReader) -> FlowDestination? {
        let (stream, delivery) = (keys.text("kinesisStream"), keys.text("deliveryStream"))
        for (key, name) in [("kinesisStream", stream), ("deliveryStream", delivery)] {
            guard let name else { continue }
            let isValid = name.utf8.allSatisfy { byte in
                byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x5A || byte >= 0x61 && byte <= 0x7A
                    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            }
            let limit = key == "kinesisStream" ? 128 : 64
            if !isValid || name.utf8.count > limit {
                keys.problem(
                    key,
                    "found \"\(name)\", expected a stream's name: 1 to \(limit) letters, digits, '_', '.', '-'"
                )
            }
        }
        switch (stream, delivery) {
        case (let name?, nil): return .stream(name)
        case (nil, let name?): return .deliveryStream(name)
        case (_?, _?):
            keys.problem(
                "deliveryStream",
                "stands beside kinesisStream; a flow has one destination: remove one of them"
            )
        case (nil, nil):
            // A key that is there with a wrong value was reported already.
            if keys.member("kinesisStream") == nil, keys.member("deliveryStream") == nil {
                keys.problem("has no destination; add kinesisStream or deliveryStream")
            }
        }
        return nil
    }

    // MARK: - Input

    private static func input(_ keys: inout KeyReader, _ destination: FlowDestination?) -> FlowInput? {
        // The service's limit on a record, less the longest partition key that is made here, less a newline.
        let recordLimit =
            switch destination {
            case .deliveryStream: 1_024_000 - 16
            default: 1_048_576 - 64
            }
        let journal = keys.member("journal")
        let pattern = keys.text("filePattern")
        let position = keys.choice("initialPosition", InitialPosition.self)
        let files = pattern.map { Self.files(&keys, $0, position, recordLimit) } ?? nil
        if let journal, journal.value != .bool(false) {
            if pattern != nil {
                keys.problem("journal", "stands beside filePattern; a flow has one input: make it two flows")
            }
            for key in ["skipHeaderLines", "multiLineStartPattern"] where keys.member(key) != nil {
                keys.problem(key, "belongs to files; remove it from the journal's flow")
            }
            return Self.journal(&keys, journal, position, recordLimit)
        }
        if pattern == nil {
            _ = keys.integer("skipHeaderLines", in: 0...1_000_000)
            _ = keys.text("multiLineStartPattern")
            if keys.member("filePattern") == nil {
                keys.problem("has no input; add filePattern, such as \"/var/log/app/*.log\", or \"journal\": true")
            }
        }
        return files
    }

    private static func files(
        _ keys: inout KeyReader,
        _ pattern: String,
        _ position: InitialPosition?,
        _ recordLimit: Int
    ) -> FlowInput {
        var files = FileTailConfiguration(
            pattern: pattern,
            initialPosition: position == .startOfFile ? .startOfFile : .endOfFile
        )
        files.maxRecordBytes = recordLimit
        // Delivered files are the records one behind the other.
        if keys.member("deliveryStream") != nil { files.endsCutRecords = true }
        files.skipHeaderLines = keys.integer("skipHeaderLines", in: 0...1_000_000) ?? 0
        if let text = keys.text("multiLineStartPattern") {
            do {
                files.multiLineStart = try LinePattern(text).matcher
            } catch {
                keys.problem("multiLineStartPattern", "found \"\(text)\", which is no regular expression: \(error)")
            }
        }
        do {
            _ = try FileTail(files, restoring: [])
        } catch {
            keys.problem("filePattern", "\(error); expected an absolute path such as \"/var/log/app/*.log\"")
        }
        return .files(files)
    }

    private static func journal(
        _ keys: inout KeyReader,
        _ member: JSONValue.Member,
        _ position: InitialPosition?,
        _ recordLimit: Int
    ) -> FlowInput {
        var journal = JournalTailConfiguration()
        journal.initialPosition = position == .startOfFile ? .head : .tail
        journal.maxEntryBytes = recordLimit
        switch member.value {
        case .bool(true): break
        case .object(let members):
            var inner = KeyReader(members, at: keys.path("journal"), offset: member.offset, keys.findings)
            journal.directory = inner.text("directory")
            if let directory = journal.directory, !directory.hasPrefix("/") {
                inner.problem("directory", "found \"\(directory)\", expected an absolute path")
            }
            journal.matches = inner.texts("matches") ?? []
            for match in journal.matches where !Self.isMatch(match) {
                inner.problem(
                    "matches",
                    "found \"\(match)\", expected FIELD=value, such as \"_SYSTEMD_UNIT=nginx.service\""
                )
            }
            journal.format = inner.choice("format", JournalFormat.self) == .message ? .message : .json
            inner.finish()
        default:
            keys.problem(
                "journal",
                "found \(member.value.kind), expected true, or an object such as {\"format\": \"json\"}"
            )
        }
        return .journal(journal)
    }

    private static func isMatch(_ text: String) -> Bool {
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")), equals > text.utf8.startIndex else {
            return false
        }
        return text.utf8[..<equals].allSatisfy { byte in
            byte == UInt8(ascii: "_") || byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x5A
        }
    }

    // MARK: - The rest

    private mutating func readBuffers(_ keys: inout KeyReader) {
        if let age = keys.integer("maxBufferAgeMillis", in: 1000...900_000) { maxBufferAge = .milliseconds(age) }
        if let records = keys.integer("maxBufferSizeRecords", in: 1...500) { maxBufferRecords = records }
        if let bytes = keys.integer("maxBufferSizeBytes", in: 1...maxBufferBytes) { maxBufferBytes = bytes }
        let initial = keys.integer("retryInitialBackoffMillis", in: 1...3_600_000) ?? 100
        let longest = keys.integer("retryMaxBackoffMillis", in: 1...3_600_000) ?? max(10_000, initial)
        retryInitialBackoff = .milliseconds(initial)
        retryMaxBackoff = .milliseconds(longest)
        if longest < initial {
            keys.problem(
                "retryMaxBackoffMillis",
                "found \(longest), expected at least retryInitialBackoffMillis, \(initial)"
            )
        }
        if let poll = keys.integer("minTimeBetweenFilePollsMillis", in: 1...60_000) {
            pollInterval = .milliseconds(poll)
        }
        keys.ignore(
            ["maxTimeBetweenFileTrackerRefreshMillis"],
            because: "each look at the files is a full one"
        )
        keys.ignore(
            ["truncatedRecordTerminator"],
            because: "a line that is too long is split, and nothing of it is lost"
        )
    }

    private func readProcessing(_ keys: inout KeyReader) {
        keys.refuse(
            ["fileFooterPattern"],
            because: "footers are not recognised yet; remove the key to have them shipped as records"
        )
        guard let options = keys.member("dataProcessingOptions") else { return }
        switch options.value {
        case .array(let steps) where steps.isEmpty: break
        case .array(let steps):
            let names = steps.compactMap { $0["optionName"]?.string }.joined(separator: ", ")
            keys.problem(
                "dataProcessingOptions",
                "found \(names.isEmpty ? "steps without an optionName" : names): records are not converted yet; remove the "
                    + "key to have the lines shipped as they are"
            )
        default:
            keys.problem("dataProcessingOptions", "found \(options.value.kind), expected a list of objects")
        }
    }
}
