import DiskIO
import Dispatch
import Glibc
import Logging
import Synchronization

/// Appends lines to a file, in order, behind the back of whoever hands them over.
///
///     record ──> [waiting, 16 MiB at most] ──one serial queue──> FILE ──64 MiB──> FILE.1 ──> ... ──> FILE.9
///
/// Lines are synced together. While the file can't be written they wait and are tried again each second; what then finds no
/// room is counted, said in the program's log, and said in the file by a line named AuditGap. A SIGKILL takes what was handed
/// over in the last few milliseconds.
public final class AuditTrail: Sendable {
    /// How much may be kept.
    public struct Limits: Sendable {
        /// Bytes of a file before it is put aside; default 64 MiB.
        public var fileBytes: UInt64
        /// Files put aside that are kept; default 9.
        public var files: Int
        /// Bytes that wait while the file can't be written; default 16 MiB.
        public var waitingBytes: Int

        /// Defaults.
        public init(fileBytes: UInt64 = 64 << 20, files: Int = 9, waitingBytes: Int = 16 << 20) {
            self.fileBytes = fileBytes
            self.files = files
            self.waitingBytes = waitingBytes
        }
    }

    private struct State {
        var waiting: [UInt8] = []
        var lost = 0
        var isScheduled = false
        var isFailing = false
    }

    /// Touched on the queue alone.
    private struct Open {
        var file: any DiskFile
        var size: UInt64
    }

    private let path: String
    private let limits: Limits
    private let logger: Logger
    private let queue = DispatchQueue(label: "audit-trail")
    private let state = Mutex(State())
    private let open = Mutex<Open?>(nil)

    /// A trail into a file, which is made when the first line is written.
    public init(path: String, limits: Limits = Limits(), logger: Logger) {
        self.path = path
        self.limits = limits
        self.logger = logger
    }

    /// Hands a line over, with its line feed. Never waits for the disk.
    public func record(_ line: [UInt8]) {
        let isFirst = state.withLock { state in
            guard state.waiting.count + line.count <= limits.waitingBytes else {
                state.lost += 1
                return false
            }
            state.waiting += line
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if isFirst { queue.async { self.drain() } }
    }

    /// Returns when everything handed over is written, or can't be.
    public func close() {
        queue.sync { drain() }
    }

    private func drain() {
        let (lines, lost) = state.withLock { state in
            state.isScheduled = false
            defer { (state.waiting, state.lost) = ([], 0) }
            return (state.waiting, state.lost)
        }
        if lines.isEmpty && lost == 0 { return }
        var bytes = lines
        if lost > 0 { bytes += Array("{\"eventName\":\"AuditGap\",\"eventsLost\":\(lost)}\n".utf8) }
        do throws(DiskError) {
            try append(bytes)
            if state.withLock({ $0.isFailing }) { logger.notice("the audit trail is written again") }
            state.withLock { $0.isFailing = false }
        } catch {
            failed(error, lines, lost)
        }
    }

    private func failed(_ error: DiskError, _ lines: [UInt8], _ lost: Int) {
        open.withLock { $0 = nil }
        let isNew = state.withLock { state in
            // Nothing was taken away meanwhile: what waits now came later.
            state.waiting = lines + state.waiting
            state.lost += lost
            state.isScheduled = true
            defer { state.isFailing = true }
            return !state.isFailing
        }
        if isNew {
            logger.error(
                "the audit trail can't be written; calls wait in memory and are tried again",
                metadata: ["error": "\(error)"]
            )
        }
        queue.asyncAfter(deadline: .now() + 1) { self.drain() }
    }

    private func append(_ bytes: [UInt8]) throws(DiskError) {
        var current = open.withLock { $0 }
        if current == nil { current = try openFile() }
        guard var current else { return }
        if current.size > 0, current.size + UInt64(bytes.count) > limits.fileBytes {
            try putAside()
            current = try openFile()
        }
        let (file, size) = (current.file, current.size)
        // At an offset of our own: a write that failed half way is written over by the next try.
        try file.write(bytes, at: size)
        try file.sync()
        current.size += UInt64(bytes.count)
        open.withLock { [current] in $0 = current }
    }

    private let disk = POSIXDisk()

    private func openFile() throws(DiskError) -> Open {
        try disk.makeFolders(POSIXDisk.parent(path))
        let file = try disk.open(path, .create)
        var size = try file.size()
        // A line that a kill cut short stays by itself.
        if size > 0, try file.read(1, at: size - 1) != [0x0A] {
            try file.write([0x0A], at: size)
            size += 1
        }
        return Open(file: file, size: size)
    }

    private func putAside() throws(DiskError) {
        open.withLock { $0 = nil }
        try disk.remove("\(path).\(limits.files)")
        for number in stride(from: limits.files - 1, through: 1, by: -1) where disk.exists("\(path).\(number)") {
            try disk.move("\(path).\(number)", to: "\(path).\(number + 1)")
        }
        try disk.move(path, to: "\(path).1")
        try disk.syncFolder(POSIXDisk.parent(path))
    }
}
