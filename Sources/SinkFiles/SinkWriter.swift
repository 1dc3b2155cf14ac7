import Glibc
import Synchronization

/// One file being written. Its steps are `append` any number of times, `prepare`, then `finalize`; or `discard`.
///
/// The bytes go through a buffer of 256 KiB. One task uses it at a time.
public final class SinkWriter: Sendable {
    private static let bufferSize = 256 * 1024

    private struct State {
        var descriptor: CInt
        var buffer: [UInt8] = []
        var bytes = 0
        var records = 0
    }

    private let folder: SinkFolder
    private let temporary: String
    private let state: Mutex<State>

    init(folder: SinkFolder, temporary: String, descriptor: CInt) {
        self.folder = folder
        self.temporary = temporary
        state = Mutex(State(descriptor: descriptor))
    }

    deinit {
        state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } }
    }

    /// Bytes appended.
    public var byteCount: Int { state.withLock(\.bytes) }
    /// Records appended.
    public var recordCount: Int { state.withLock(\.records) }

    /// Appends one record and what separates it from the next. Throws `SinkError`; the file is of no use afterwards.
    public func append(_ record: UnsafeRawBufferPointer, delimiter: [UInt8] = []) throws(SinkError) {
        try locked { state throws(SinkError) in
            if state.buffer.capacity == 0 { state.buffer.reserveCapacity(Self.bufferSize) }
            if state.buffer.count + record.count + delimiter.count > Self.bufferSize { try flush(&state) }
            if record.count >= Self.bufferSize {
                try folder.disk.write(record, to: state.descriptor, path)
            } else {
                state.buffer.append(contentsOf: record)
            }
            state.buffer.append(contentsOf: delimiter)
            state.bytes += record.count + delimiter.count
            state.records += 1
        }
    }

    /// Appends a record given as an array.
    public func append(_ record: [UInt8], delimiter: [UInt8] = []) throws(SinkError) {
        var failure: SinkError?
        record.withUnsafeBytes { bytes in
            do throws(SinkError) { try append(bytes, delimiter: delimiter) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Writes out and syncs everything, and closes the temporary file, which will be called `final`. What it returns
    /// is to be remembered before `SinkFolder.finalize` is called with it. Throws `SinkError`.
    public func prepare(as final: SinkPath) throws(SinkError) -> PendingFile {
        try locked { state throws(SinkError) in
            try flush(&state)
            try folder.disk.syncFile(state.descriptor, path)
            close(state.descriptor)
            state.descriptor = -1
            return PendingFile(temporary: temporary, final: final, byteCount: state.bytes)
        }
    }

    /// Gives the file up and removes it. Throws `SinkError` when it can't be removed; `SinkFolder.sweep` finds it then.
    public func discard() throws(SinkError) {
        state.withLock {
            if $0.descriptor >= 0 { close($0.descriptor) }
            $0.descriptor = -1
            $0.buffer = []
        }
        try folder.disk.remove(path)
    }

    private var path: String { folder.temporaryPath(temporary) }

    private func flush(_ state: inout State) throws(SinkError) {
        guard !state.buffer.isEmpty else { return }
        var failure: SinkError?
        state.buffer.withUnsafeBytes { bytes in
            do throws(SinkError) {
                try folder.disk.write(bytes, to: state.descriptor, path)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        state.buffer.removeAll(keepingCapacity: true)
    }

    private func locked<T: Sendable>(_ body: (inout State) throws(SinkError) -> T) throws(SinkError) -> T {
        let result: Result<T, SinkError> = state.withLock { state in
            do throws(SinkError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
