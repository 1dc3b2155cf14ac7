"""Puts, reads and reshards at once: nothing is lost, nothing is doubled, and a key's records keep their order."""

import collections
import random
import threading
import time

import pytest

import aws
from checks import expect_lineage, hash_range, is_open
from conftest import watched
from programs import eventually

SECONDS = 4
WRITERS = 4
KEYS = 6


class Writer(threading.Thread):
    """Puts numbered records under its own keys; a key's next record is put when the one before is acknowledged."""

    def __init__(self, collector, stream, number, stop):
        super().__init__(daemon=True)
        self.kinesis = watched(collector)
        self.stream, self.number, self.stop = stream, number, stop
        self.counts = collections.Counter()
        self.error = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.put_batch() if self.number % 2 else self.put_one()
        except Exception as error:
            self.error = error

    def entry(self, index):
        key = f"writer {self.number} key {index}"
        entry = {"Data": f"{key}|{self.counts[key]}".encode(), "PartitionKey": key}
        self.counts[key] += 1
        return entry

    def put_one(self):
        for index in range(KEYS):
            self.kinesis.put_record(StreamName=self.stream, **self.entry(index))

    def put_batch(self):
        entries = [self.entry(index) for index in range(KEYS)]
        answer = self.kinesis.put_records(StreamName=self.stream, Records=entries)
        assert answer["FailedRecordCount"] == 0, answer


class Follower(threading.Thread):
    """Reads as the KCL does: the first shards from their beginning, and each child when all of its parents are read."""

    def __init__(self, collector, stream, stop):
        super().__init__(daemon=True)
        self.kinesis = watched(collector)
        self.stream, self.stop = stream, stop
        self.records = []
        self.ended = set()
        self.children = {}
        self.error = None

    def run(self):
        try:
            first = self.kinesis.list_shards(StreamName=self.stream, ShardFilter={"Type": "AT_TRIM_HORIZON"})["Shards"]
            open_ones = {shard["ShardId"]: self.start_of(shard["ShardId"]) for shard in first}
            while True:
                is_over = self.stop.is_set()
                moved = [self.read(shard, open_ones) for shard in list(open_ones)]
                # A whole round after the last put that read nothing and ended nothing.
                if is_over and not any(moved):
                    break
                time.sleep(0.01)
            self.left = set(open_ones)
        except Exception as error:
            self.error = error

    def start_of(self, shard):
        answer = self.kinesis.get_shard_iterator(
            StreamName=self.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
        return answer["ShardIterator"]

    def read(self, shard, open_ones):
        """Reads one page; whether that led anywhere."""
        page = self.kinesis.get_records(ShardIterator=open_ones[shard])
        self.records += [record["Data"].decode() for record in page["Records"]]
        following = page.get("NextShardIterator")
        children = page.get("ChildShards", [])
        # The KCL's rule: one of the two, never both, never neither.
        assert (following is None) == bool(children), page
        if following:
            open_ones[shard] = following
            return bool(page["Records"]) or page["MillisBehindLatest"] > 0
        del open_ones[shard]
        self.ended.add(shard)
        self.children[shard] = children
        for child in children:
            assert shard in child["ParentShards"], child
            if self.ended >= set(child["ParentShards"]) and child["ShardId"] not in open_ones:
                open_ones[child["ShardId"]] = self.start_of(child["ShardId"])
        return True


def reshard(kinesis, stream, randomness):
    shards = kinesis.list_shards(StreamName=stream, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    shards.sort(key=hash_range)
    choice = randomness.random()
    if len(shards) > 1 and choice < 0.35:
        at = randomness.randrange(len(shards) - 1)
        one, two = shards[at]["ShardId"], shards[at + 1]["ShardId"]
        kinesis.merge_shards(StreamName=stream, ShardToMerge=one, AdjacentShardToMerge=two)
    elif choice < 0.7 and len(shards) < 8:
        low, high = hash_range(randomness.choice(shards))
        shard = next(shard["ShardId"] for shard in shards if hash_range(shard) == (low, high))
        at = randomness.randrange(low + 2, high)
        kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(at))
    else:
        target = randomness.randint(max(1, (len(shards) + 1) // 2), min(8, 2 * len(shards)))
        kinesis.update_shard_count(StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")


@pytest.mark.parametrize("quiet", [False, True], ids=["while reads go on", "read afterwards"])
def test_nothing_is_lost_or_reordered_while_shards_change(either, quiet):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    randomness = random.Random(seed)
    kinesis = watched(either)
    stream = f"load-{time.time_ns()}"
    kinesis.create_stream(StreamName=stream, ShardCount=2)
    aws.wait_active(kinesis, stream)

    writing, reading = threading.Event(), threading.Event()
    writers = [Writer(either, stream, number, writing) for number in range(WRITERS)]
    follower = Follower(either, stream, reading)
    for thread in writers if quiet else [*writers, follower]:
        thread.start()
    end = time.monotonic() + SECONDS / 2
    reshards = 0
    while time.monotonic() < end:
        reshard(kinesis, stream, randomness)
        reshards += 1
        eventually(lambda: is_active(kinesis, stream), 10, 0.005, "the stream is ACTIVE")
    writing.set()
    for writer in writers:
        writer.join(20)
        assert writer.error is None, writer.error
    reading.set()
    if quiet:
        follower.start()
    follower.join(60)
    assert follower.error is None, follower.error
    assert not follower.is_alive()

    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    expect_lineage(shards)
    assert reshards > 3 and len(shards) > 4, (reshards, len(shards))
    assert follower.left == {shard["ShardId"] for shard in shards if is_open(shard)}
    expect_children(follower.children, shards)
    expected = {key: list(range(count)) for writer in writers for key, count in writer.counts.items()}
    found = collections.defaultdict(list)
    for text in follower.records:
        key, _, number = text.partition("|")
        found[key].append(int(number))
    assert sum(map(len, expected.values())) > 100
    assert dict(found) == expected
    kinesis.delete_stream(StreamName=stream)


def expect_children(children, shards):
    """What the ends of shards named is what ListShards says."""
    listed = collections.defaultdict(dict)
    for shard in shards:
        parents = [shard[name] for name in ("ParentShardId", "AdjacentParentShardId") if name in shard]
        for parent in parents:
            listed[parent][shard["ShardId"]] = (parents, shard["HashKeyRange"])
    assert children.keys() == listed.keys()
    for parent, named in children.items():
        assert {child["ShardId"]: (child["ParentShards"], child["HashKeyRange"]) for child in named} == listed[parent]


def is_active(kinesis, stream):
    return kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
