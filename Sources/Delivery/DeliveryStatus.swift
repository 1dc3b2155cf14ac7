/// How one delivery stream is doing, for metrics and the console.
public struct DeliveryStatus: Sendable, Equatable {
    /// The delivery stream.
    public var name: String
    /// Such as `us-east-1`.
    public var region: String
    /// Records in finished files, since the delivery stream was created.
    public var recordsDelivered: Int = 0
    /// Finished files, since the delivery stream was created.
    public var filesFinalized: Int = 0
    /// Bytes in finished files, since the delivery stream was created.
    public var bytesDelivered: Int = 0
    /// Bytes in the unfinished file.
    public var bytesBuffered: Int = 0
    /// Age of the oldest record that was read but is in no finished file yet, in milliseconds; 0 when there is none.
    public var millisBehind: Int64 = 0
    /// Why delivery does not get on, nil when it does.
    public var lastError: String?
}
