import FileTail
import JournalTail

/// What a flow saves of its sources.
enum SourceCheckpoints: Sendable, Equatable {
    case files([FileCheckpoint])
    case journal([JournalCheckpoint])
}

/// Something about an input that belongs into the log.
struct SourceNotice: Sendable, Equatable {
    var message: String
    var isWarning: Bool
}

/// A flow's input. Used by one thread, the flow's reader.
protocol RecordSource: AnyObject {
    /// Rises when checkpoints must be durable before anything that was read since is sent.
    var revision: UInt64 { get }
    /// Begins reading; `wake` may be called from any thread when there is something for `next` again.
    func start(wake: @escaping @Sendable () -> Void)
    /// Looks at what is there. An error says that nothing can be read for now.
    func refresh() throws -> [SourceNotice]
    /// The next whole records, about this many bytes of them; nil until the next refresh or wake.
    func next(maxBytes: Int) -> SourceChunk?
    /// What must be in the log before the records that `next` gave last are sent: a gap before them, for one. A kill right
    /// behind their acknowledgement would otherwise leave it unsaid.
    func noticesBeforeSending() -> [SourceNotice]
    /// Everything of the chunk's source up to and with this record is durable at the destination.
    func acknowledge(_ chunk: SourceChunk, through record: Int)
    /// What is to be saved now.
    func checkpoints() -> SourceCheckpoints
    /// Known bytes that are not acknowledged.
    var lagBytes: Int64 { get }
    /// Ends reading.
    func stop()
}

extension RecordSource {
    func noticesBeforeSending() -> [SourceNotice] { [] }
}
