import AWSProtocol
import RecordBatch
import ShardLog
import StateStore
import StreamModel

/// Opening shards for writing: what their logs and snapshots say.
extension Collector {
    /// Bytes between two snapshots of a shard's producers: what opening a shard reads at most.
    static let snapshotInterval = 32 * 1024 * 1024

    /// Opens a shard that a put needs; one task at a time per stream.
    func open(_ writer: ShardWriter, of stream: Stream) async throws(AWSError) {
        try await stream.control.withLock { () async throws(AWSError) in
            do {
                // It reads what stands in the log, and whoever puts a record may run where nothing may wait for a disk.
                try await withTaskExecutorPreference(globalConcurrentExecutor) { try await prepare(writer) }
            } catch let error as ShardLogError {
                // Sealed under us by a reshard that is not finished: the next round waits for it.
                if error == .closed { return }
                if error == .notFound { throw notFound(stream.key.name) }
                throw failure(error, writer.ref)
            } catch let error as StateStoreError {
                throw failure(error)
            } catch {
                throw .internalFailure
            }
        }
    }

    /// Makes a writer its shard's owner. Does nothing for one that is.
    func prepare(_ writer: ShardWriter) async throws {
        guard writer.isUnopened else { return }
        let appender = try await log.openAppender(writer.ref, expecting: nil)
        let (nextOffset, lastArrival) = try await end(of: writer.ref, at: appender.tail)
        let producers = try await producers(of: writer.ref, upTo: appender.tail)
        writer.opened(
            appender,
            nextOffset: nextOffset,
            lastArrival: lastArrival,
            producers: producers.table,
            bytesSinceSnapshot: producers.bytes
        )
    }

    /// An owner counts on what stands before its tail; a replica that has not seen all of it yet must not answer for it.
    private static let lagging = ShardLogError.unavailable("the log's reads lag", retryAfter: .milliseconds(100))

    /// The next record offset and the last arrival before the tail.
    private func end(of ref: ShardRef, at tail: Position) async throws -> (nextOffset: Int64, lastArrival: Int64) {
        let bounds = try await log.bounds(ref)
        if bounds.tail < tail { throw Self.lagging }
        guard let last = bounds.last else { return (0, 0) }
        let slab = try await log.read(ref, from: last, maxBytes: 1)
        return try slab.bytes.withUnsafeBytes { bytes in
            guard let frame = slab.frames.first else { throw Self.lagging }
            let view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
            return (view.baseOffset + Int64(view.lastOffsetDelta) + 1, view.arrivalMilliseconds)
        }
    }

    /// The snapshot, and what was appended since, up to the tail.
    func producers(of ref: ShardRef, upTo tail: Position) async throws -> (table: ProducerTable, bytes: Int) {
        let row = try await state.get(StateKey("producers", ref.description))
        let snapshot = row.flatMap { ProducerTable.restore($0.value) }
        var table = snapshot?.table ?? ProducerTable()
        var position = Position(rawValue: snapshot?.position ?? 0)
        var count = 0
        while true {
            let slab = try await log.read(ref, from: position, maxBytes: 4 * 1024 * 1024)
            slab.bytes.withUnsafeBytes { bytes in
                for frame in slab.frames {
                    let view: FrameView
                    do {
                        view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
                    } catch {
                        // Damage is never served, but it must not keep the shard from taking records.
                        logger.error(
                            "a damaged frame says nothing of its producers",
                            metadata: ["shard": "\(ref)", "position": "\(frame.position)", "error": "\(error)"]
                        )
                        continue
                    }
                    for range in view.producers {
                        table.note(range.producer, last: range.last, seen: view.arrivalMilliseconds)
                    }
                }
            }
            if slab.frames.isEmpty {
                if slab.next < tail { throw Self.lagging }
                return (table, count)
            }
            count += slab.bytes.count
            position = slab.next
        }
    }
}
