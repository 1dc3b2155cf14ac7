import StreamModel
import Testing

@Suite("What a shard may take and give")
struct AllowanceTests {
    private let limits = ShardLimits()
    private let mebibyte = 1 << 20

    /// `#expect` takes no calls that change their value.
    private func expect(_ truth: Bool, at location: SourceLocation = #_sourceLocation) {
        #expect(truth, sourceLocation: location)
    }

    @Test("a bucket is full at first, fills at its rate, and saves up no more than its burst")
    func bucket() {
        var bucket = TokenBucket()
        let rate = Rate(perSecond: 10, burst: 20)
        expect(bucket.available(rate, at: 1000) == 20)
        var taken = 0
        while bucket.take(1, of: rate, at: 1000) { taken += 1 }
        #expect(taken == 20)
        expect(!bucket.take(1, of: rate, at: 1099))
        expect(bucket.take(1, of: rate, at: 1100))
        expect(bucket.available(rate, at: 100_000_000_000) == 20)
    }

    @Test("a bucket below zero is paid back at its rate")
    func debt() {
        var bucket = TokenBucket()
        let rate = Rate(perSecond: 10)
        _ = bucket.available(rate, at: 0)
        bucket.spend(30)
        expect(bucket.available(rate, at: 0) == -20)
        expect(bucket.available(rate, at: 1950) == -1)
        expect(bucket.available(rate, at: 2100) == 1)
    }

    @Test("a clock that jumps back gives nothing and takes nothing away")
    func clock() {
        var bucket = TokenBucket()
        let rate = Rate(perSecond: 10)
        expect(bucket.take(10, of: rate, at: 10_000_000))
        expect(bucket.available(rate, at: 5_000_000) == 0)
        expect(bucket.available(rate, at: 5_000_500) == 5)
    }

    @Test("a shard takes 1,000 records at once and then one a millisecond")
    func records() {
        var write = WriteAllowance()
        expect(write.take(records: 1000, bytes: 1000, limits, at: 0))
        expect(!write.take(record: 1, limits, at: 0))
        expect(write.take(record: 1, limits, at: 1))
        expect(!write.take(record: 1, limits, at: 1))
    }

    @Test("a shard takes 1 MiB a second, and a refused record costs nothing")
    func bytes() {
        var write = WriteAllowance()
        expect(write.take(records: 1, bytes: mebibyte, limits, at: 0))
        expect(!write.take(record: mebibyte / 2, limits, at: 499))
        expect(write.take(record: mebibyte / 2, limits, at: 501))
    }

    @Test(
        "a record of 10 MiB goes in at once, small ones follow at the rate, another large one waits for ten seconds' worth"
    )
    func large() {
        var write = WriteAllowance()
        expect(write.take(record: 10 * mebibyte, limits, at: 0))
        expect(!write.take(record: 1000, limits, at: 0))
        expect(write.take(record: 1000, limits, at: 10))
        expect(!write.take(record: 10 * mebibyte, limits, at: 9999))
        expect(write.take(record: 10 * mebibyte, limits, at: 10_001))
    }

    @Test(
        "over a minute a shard takes no more than a minute's worth and the bursts, whatever the records",
        arguments: 1...8
    )
    func average(seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        var write = WriteAllowance()
        var (bytes, records) = (0, 0)
        for time in 0..<60_000 where random.next() % 3 == 0 {
            let size = random.next() % 50 == 0 ? Int(random.next() % (10 << 20)) : Int(random.next() % 5000)
            if write.take(record: size, limits, at: Int64(time)) {
                bytes += size
                records += 1
            }
        }
        #expect(bytes <= 60 * mebibyte + 10 * mebibyte)
        #expect(bytes > 30 * mebibyte)
        #expect(records <= 61_000)
    }

    @Test("five reads a second")
    func calls() {
        var read = ReadAllowance()
        var calls = 0
        while read.begin(limits, at: 0) { calls += 1 }
        #expect(calls == 5)
        expect(!read.begin(limits, at: 199))
        expect(read.begin(limits, at: 200))
    }

    @Test("behind a page of 10 MiB nothing is read for five seconds, behind small ones at once")
    func pages() {
        var read = ReadAllowance()
        expect(read.begin(limits, at: 0))
        read.end(bytes: 10 * mebibyte, limits, at: 0)
        expect(!read.begin(limits, at: 4999))
        expect(read.begin(limits, at: 5001))
        read.end(bytes: 1000, limits, at: 5001)
        expect(read.begin(limits, at: 5001 + 1))
    }
}
