import AWSProtocol

/// The answer of `UpdateContinuousBackups` and `DescribeContinuousBackups`. The request is accepted, so that clients that
/// ask for it go on; there is no recovery to a point in time, and the answer says so.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
public enum ContinuousBackupsResponse {
    /// The answer's JSON.
    public static func json() -> [UInt8] {
        answer { writer in
            writer.name("ContinuousBackupsDescription")
            writer.object { writer in
                writer.name("ContinuousBackupsStatus")
                writer.string("DISABLED")
                writer.name("PointInTimeRecoveryDescription")
                writer.object { writer in
                    writer.name("PointInTimeRecoveryStatus")
                    writer.string("DISABLED")
                }
            }
        }
    }
}
