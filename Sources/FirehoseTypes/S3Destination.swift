import AWSProtocol

/// The one kind of destination there is: objects below a bucket, which here are files below a folder.
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
public struct S3Destination: Sendable, Equatable {
    /// Where Amazon's logs of delivery errors go; kept and described, but errors are found in this server's own log.
    public struct CloudWatchLogging: Sendable, Equatable {
        /// Whether it was asked for.
        public var enabled: Bool
        /// As given.
        public var group: String?
        /// As given.
        public var stream: String?
    }

    /// `RoleARN`: checked for its form only.
    public var roleARN: String
    /// `BucketARN`, `arn:aws:s3:::NAME`.
    public var bucketARN: String
    /// `Prefix`, nil when not given.
    public var prefix: String?
    /// `ErrorOutputPrefix`, nil when not given.
    public var errorOutputPrefix: String?
    /// `SizeInMBs`, 1 to 128, in MiB; default 5.
    public var sizeInMBs: Int
    /// `IntervalInSeconds`, 0 to 900; default 300. 0 delivers as soon as possible.
    public var intervalInSeconds: Int
    /// `FileExtension` with its dot; nil or empty: none.
    public var fileExtension: String?
    /// Text written behind each record: the `AppendDelimiterToRecord` processor. nil: nothing.
    public var delimiter: String?
    /// `CloudWatchLoggingOptions`, nil when not given.
    public var logging: CloudWatchLogging?

    /// A destination with AWS's defaults.
    public init(
        roleARN: String,
        bucketARN: String,
        prefix: String? = nil,
        errorOutputPrefix: String? = nil,
        sizeInMBs: Int = 5,
        intervalInSeconds: Int = 300,
        fileExtension: String? = nil,
        delimiter: String? = nil,
        logging: CloudWatchLogging? = nil
    ) {
        self.roleARN = roleARN
        self.bucketARN = bucketARN
        self.prefix = prefix
        self.errorOutputPrefix = errorOutputPrefix
        self.sizeInMBs = sizeInMBs
        self.intervalInSeconds = intervalInSeconds
        self.fileExtension = fileExtension
        self.delimiter = delimiter
        self.logging = logging
    }

    /// The bucket's name: what follows `:s3:::`.
    public var bucket: String { FirehoseConstraints.bucketName(bucketARN) ?? "" }

    /// The bytes behind each record: `\n`, `\r`, `\t` and `\\` in `delimiter` are the characters they stand for.
    public var delimiterBytes: [UInt8] {
        var bytes: [UInt8] = []
        var escaped = false
        for byte in (delimiter ?? "").utf8 {
            if escaped {
                escaped = false
                switch byte {
                case UInt8(ascii: "n"): bytes.append(0x0A)
                case UInt8(ascii: "r"): bytes.append(0x0D)
                case UInt8(ascii: "t"): bytes.append(0x09)
                case UInt8(ascii: "\\"): bytes.append(byte)
                default: bytes += [UInt8(ascii: "\\"), byte]
                }
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else {
                bytes.append(byte)
            }
        }
        return escaped ? bytes + [UInt8(ascii: "\\")] : bytes
    }

    /// Writes the members of `ExtendedS3DestinationDescription` (or, without `extended`, of `S3DestinationDescription`).
    public func write(to writer: inout JSONWriter, extended: Bool = true) {
        writer.name("RoleARN")
        writer.string(roleARN)
        writer.name("BucketARN")
        writer.string(bucketARN)
        writer.optional("Prefix", prefix)
        writer.optional("ErrorOutputPrefix", errorOutputPrefix)
        writer.name("BufferingHints")
        writer.object {
            $0.name("SizeInMBs")
            $0.integer(sizeInMBs)
            $0.name("IntervalInSeconds")
            $0.integer(intervalInSeconds)
        }
        writer.name("CompressionFormat")
        writer.string("UNCOMPRESSED")
        writer.name("EncryptionConfiguration")
        writer.object {
            $0.name("NoEncryptionConfig")
            $0.string("NoEncryption")
        }
        if let logging {
            writer.name("CloudWatchLoggingOptions")
            writer.object {
                $0.name("Enabled")
                $0.bool(logging.enabled)
                $0.optional("LogGroupName", logging.group)
                $0.optional("LogStreamName", logging.stream)
            }
        }
        guard extended else { return }
        writer.name("S3BackupMode")
        writer.string("Disabled")
        writer.optional("FileExtension", fileExtension)
        guard let delimiter else { return }
        writer.name("ProcessingConfiguration")
        writer.object {
            $0.name("Enabled")
            $0.bool(true)
            $0.name("Processors")
            $0.array {
                $0.object {
                    $0.name("Type")
                    $0.string("AppendDelimiterToRecord")
                    $0.name("Parameters")
                    $0.array {
                        $0.object {
                            $0.name("ParameterName")
                            $0.string("Delimiter")
                            $0.name("ParameterValue")
                            $0.string(delimiter)
                        }
                    }
                }
            }
        }
    }
}

extension JSONWriter {
    /// A string member, or nothing.
    mutating func optional(_ name: StaticString, _ text: String?) {
        guard let text else { return }
        self.name(name)
        string(text)
    }
}
