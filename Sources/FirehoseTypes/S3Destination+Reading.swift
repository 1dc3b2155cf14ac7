import AWSProtocol

extension S3Destination {
    /// Reads an `ExtendedS3DestinationConfiguration`, `…Update` or their older forms without `Extended`. With `base`, members
    /// that are not given keep the values there. What this server does not have is `InvalidArgumentException`, never
    /// ignored.
    public init(reading reader: inout RequestReader, over base: S3Destination? = nil) throws(AWSError) {
        let role = try reader.string(
            "RoleARN",
            length: 1...512,
            pattern: FirehoseConstraints.roleARN,
            required: base == nil
        )
        let bucket = try reader.string(
            "BucketARN",
            length: 1...2048,
            pattern: FirehoseConstraints.bucketARN,
            required: base == nil
        )
        self = base ?? S3Destination(roleARN: "", bucketARN: "")
        roleARN = role ?? roleARN
        bucketARN = bucket ?? bucketARN
        prefix = try reader.string("Prefix", length: 0...1024) ?? prefix
        errorOutputPrefix = try reader.string("ErrorOutputPrefix", length: 0...1024) ?? errorOutputPrefix
        fileExtension =
            try reader.string("FileExtension", length: 0...128, pattern: FirehoseConstraints.fileExtension)
            ?? fileExtension
        try readBuffering(&reader)
        try readLogging(&reader)
        let zone = try reader.string("CustomTimeZone", length: 0...50, pattern: FirehoseConstraints.timeZone) ?? ""
        let format = try reader.string("CompressionFormat", values: FirehoseConstraints.compressionFormats)
        let backup = try reader.string("S3BackupMode", values: ["Disabled", "Enabled"])
        let absent = "this server does not have it"
        if let format, format != "UNCOMPRESSED" {
            throw .invalidArgument("CompressionFormat \(format) is not supported: \(absent); use UNCOMPRESSED")
        }
        guard zone.isEmpty || zone == "UTC" else {
            throw .invalidArgument("CustomTimeZone \(zone) is not supported: \(absent); leave it out or use UTC")
        }
        if backup == "Enabled" || reader.raw("S3BackupConfiguration") != nil || reader.raw("S3BackupUpdate") != nil {
            throw .invalidArgument("S3BackupMode Enabled is not supported: \(absent)")
        }
        if reader.raw("EncryptionConfiguration")?["KMSEncryptionConfig"] != nil {
            throw .invalidArgument("KMSEncryptionConfig is not supported: \(absent); use NoEncryption")
        }
        for name in ["DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"] {
            if let member = reader.raw(name), member["Enabled"]?.bool ?? (name == "DataFormatConversionConfiguration") {
                throw .invalidArgument("\(name) is not supported: \(absent)")
            }
        }
        try readProcessing(&reader)
    }

    private mutating func readBuffering(_ reader: inout RequestReader) throws(AWSError) {
        let hints = try reader.structure("BufferingHints") { hints throws(AWSError) in
            (
                size: try hints.integer("SizeInMBs", in: 1...128),
                interval: try hints.integer("IntervalInSeconds", in: 0...900)
            )
        }
        guard let hints, let raw = reader.raw("BufferingHints") else { return }
        guard (raw["SizeInMBs"] == nil) == (raw["IntervalInSeconds"] == nil) else {
            throw .invalidArgument("BufferingHints need both SizeInMBs and IntervalInSeconds, or neither")
        }
        sizeInMBs = hints.size ?? sizeInMBs
        intervalInSeconds = hints.interval ?? intervalInSeconds
    }

    private mutating func readLogging(_ reader: inout RequestReader) throws(AWSError) {
        logging =
            try reader.structure("CloudWatchLoggingOptions") { options throws(AWSError) in
                CloudWatchLogging(
                    enabled: try options.bool("Enabled") ?? false,
                    group: try options.string("LogGroupName", length: 0...512),
                    stream: try options.string("LogStreamName", length: 0...512)
                )
            } ?? logging
    }

    private mutating func readProcessing(_ reader: inout RequestReader) throws(AWSError) {
        let processors = try reader.structure("ProcessingConfiguration") { configuration throws(AWSError) in
            try configuration.bool("Enabled") == true ? try configuration.list("Processors") ?? [] : []
        }
        guard let processors else { return }
        delimiter = nil
        for processor in processors {
            let type = processor["Type"]?.string ?? ""
            guard type == "AppendDelimiterToRecord" else {
                throw .invalidArgument(
                    "Processor \(type) is not supported: this server has AppendDelimiterToRecord only"
                )
            }
            let parameter = processor["Parameters"]?.array?.first { $0["ParameterName"]?.string == "Delimiter" }
            let text = parameter?["ParameterValue"]?.string ?? "\\n"
            guard (1...5120).contains(text.utf16.count) else {
                throw .invalidArgument("Processor AppendDelimiterToRecord: Delimiter must have 1 to 5120 characters")
            }
            delimiter = text
        }
    }
}
