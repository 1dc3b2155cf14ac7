// How fast the shard store reads what is in the page cache, before anything is encoded: frames of 500 records of 1 KiB, pages
// of the size that GetRecords reads, each frame verified.
//
//     swift build -c release --product catch-up-bench && .build/release/catch-up-bench [FOLDER] [BYTES]
//
// Beside it the limit: the same files with read(2) into one buffer, nothing looked at. CPU seconds are this thread's.

import DiskIO
import EmbeddedLog
import Glibc
import Logging
import RecordBatch
import ShardLog

func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func frame() -> FrameBytes {
    var run = RecordRun(reserving: 500 * 1070)
    let value = (0..<1024).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for index in 0..<500 {
        Array("partition-key-\(index)".utf8).withUnsafeBytes { key in
            value.withUnsafeBytes { run.append(key: key, value: $0) }
        }
    }
    return FrameEncoder.seal(
        [run],
        shard: 0,
        baseOffset: 0,
        arrivalMilliseconds: 0,
        epoch: 0,
        source: .kinesis
    )
}

let folder = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : ".build/bench/catch-up"
let wanted = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 0 : 1 << 30
let shard = ShardRef(stream: "bench", index: 0)
let disk = POSIXDisk()
if disk.exists(folder) { try disk.removeFolder(folder) }
let log = try EmbeddedLog.open(directory: folder, logger: Logger(label: "bench"))
try log.create(shard)
let appender = try await log.openAppender(shard, expecting: nil)
let bytes = frame()
for _ in 0..<(wanted / bytes.count) {
    let result = await withCheckedContinuation { continuation in
        appender.append([AppendFrame(bytes: bytes, arrivalMilliseconds: 0)]) { continuation.resume(returning: $0) }
    }
    _ = try result.get()
}

func readAll(pageBytes: Int) throws -> (bytes: Int, records: Int) {
    var (position, total, records) = (Position.start, 0, 0)
    let tail = try log.bounds(shard).tail
    while position < tail {
        let slab = try log.read(shard, from: position, maxBytes: pageBytes)
        total += slab.bytes.count
        try slab.bytes.withUnsafeBytes { bytes in
            for frame in slab.frames {
                let header = try FrameHeader(peeking: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
                records += Int(header.recordCount)
            }
        }
        position = slab.next
    }
    return (total, records)
}

func readFiles() throws -> Int {
    let path = "\(folder)/\(shard.stream)/\(shard.index)"
    var total = 0
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    for name in try disk.list(path) where name.hasSuffix(".log") {
        let file = try disk.open(path + "/" + name, .read)
        var offset: UInt64 = 0
        while true {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { break }
            offset += UInt64(count)
            total += count
        }
    }
    return total
}

func rate(_ rounds: Int, _ body: () throws -> Int) rethrows -> Int {
    _ = try body()
    var rates: [Double] = []
    for _ in 0..<rounds {
        let start = cpuSeconds()
        let bytes = try body()
        rates.append(Double(bytes) / 1e6 / (cpuSeconds() - start))
    }
    return Int(rates.sorted()[rounds / 2])
}

let limit = try rate(5) { try readFiles() }
print("read(2) alone: \(limit) MB per CPU-second")
for pageBytes in [1 << 20, 4 << 20, 10 << 20] {
    let found = try rate(5) { try readAll(pageBytes: pageBytes).bytes }
    print(
        "EmbeddedLog.read, pages of \(pageBytes >> 20) MiB: \(found) MB per CPU-second, \(found * 100 / limit) % of that"
    )
}
await log.close()
try disk.removeFolder(folder)
