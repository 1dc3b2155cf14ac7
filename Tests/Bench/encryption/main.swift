// What encryption adds to a put and to a read: the time of sealing a frame with and without a key, and of opening it.
//
//     swift build -c release --product encryption-bench && .build/release/encryption-bench
//
// Each figure is the median of many rounds; runs are made outside of the time taken, and nobody else has them when they are
// sealed, as in the collector: a plain one is sealed where it stands.

import CPOSIX
import Glibc
import RecordBatch
import ShardLog

func microseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}

func run(records: Int, bytes: Int, key: FrameKey?) -> RecordRun {
    var run = RecordRun(key: key, reserving: records * (bytes + 40))
    let value = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for index in 0..<records {
        Array("partition-key-\(index)".utf8).withUnsafeBytes { key in
            value.withUnsafeBytes { run.append(key: key, value: $0) }
        }
    }
    return run
}

func seal(_ run: RecordRun) -> FrameBytes {
    FrameEncoder.seal([run], shard: 0, baseOffset: 0, arrivalMilliseconds: 0, epoch: 0, source: .kinesis)
}

func median(_ rounds: Int, _ body: () -> Void) -> Double {
    for _ in 0..<rounds / 10 { body() }
    let times = (0..<rounds).map { _ in
        let start = microseconds()
        body()
        return microseconds() - start
    }
    return times.sorted()[rounds / 2]
}

func medianOfSealing(_ rounds: Int, _ make: () -> RecordRun) -> Double {
    var frames = 0
    let times = (0..<rounds).map { _ in
        let run = make()
        let start = microseconds()
        let frame = seal(run)
        let end = microseconds()
        frames += min(1, frame.count)
        return end - start
    }
    precondition(frames == rounds)
    return times.sorted()[rounds / 2]
}

func read(_ frame: FrameBytes, _ key: DataKey) -> Int {
    frame.withUnsafeBytes { bytes in
        var sum = 0
        do {
            try FrameView(validating: bytes).withRecords(openedWith: key, shard: 0) { records in
                try records.forEach(from: 0) { _, _, value in
                    sum &+= value.count
                    return true
                }
            }
        } catch {
            preconditionFailure("a frame that was just sealed can't be read: \(error)")
        }
        return sum
    }
}

func text(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}

// As the collector has it: else pages that fault would be most of what is measured.
_ = millrace_keep_blocks(32 << 20, 64 << 20)
guard let root = RootKey((0..<32).map { UInt8($0) }) else { preconditionFailure("32 bytes are a key") }
let key = FrameKey(root, name: "alias/aws/kinesis", stream: "bench", salt: 1)
let dataKey = root.dataKey(salt: 1, stream: "bench")
var sink = 0
for (name, records, rounds) in [("PutRecord of 1 KiB", 1, 20_000), ("PutRecords of 500 x 1 KiB", 500, 2000)] {
    let make = [nil, key].map { key in { run(records: records, bytes: 1024, key: key) } }
    let (plainFrame, encryptedFrame) = (seal(make[0]()), seal(make[1]()))
    let sealing = make.map { medianOfSealing(rounds, $0) }
    let reading = [plainFrame, encryptedFrame].map { frame in median(rounds) { sink &+= read(frame, dataKey) } }
    print("\(name), \(encryptedFrame.count - plainFrame.count) bytes more")
    for (what, times) in [("seal", sealing), ("read", reading)] {
        print(
            "  \(what)  plain \(text(times[0])) us  encrypted \(text(times[1])) us  added \(text(times[1] - times[0])) us"
        )
    }
}
print(
    "data key of a new salt: \(text(median(2000) { sink &+= withUnsafeBytes(of: root.dataKey(salt: UInt128(sink), stream: "bench")) { $0.count } })) us"
)
exit(sink == 1 ? 1 : 0)
