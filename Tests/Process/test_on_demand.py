"""AWS's limits with real programs: an agent behind a shard that takes 1,000 records a second, and streams that scale."""

import hashlib
import time

import aws
from programs import eventually


def keys_below(fraction, count):
    """Partition keys whose hash falls into the lowest part of the key space."""
    found, number = [], 0
    while len(found) < count:
        key = f"key {number}"
        number += 1
        if int.from_bytes(hashlib.md5(key.encode()).digest(), "big") < fraction * 2**128:
            found.append(key)
    return found


def open_shards(kinesis, name):
    return sum("EndingSequenceNumber" not in shard["SequenceNumberRange"] for shard in aws.list_shards(kinesis, name))


def test_a_hot_shard_of_an_on_demand_stream_is_split_within_seconds_and_every_record_is_read_in_order(stage):
    collector = stage.collector(extra=["--limits", "aws"])
    kinesis = aws.client("kinesis", collector, attempts=20)
    kinesis.create_stream(StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    aws.wait_active(kinesis, "s")
    assert open_shards(kinesis, "s") == 4
    keys = keys_below(0.25, 32)
    sent = {key: 0 for key in keys}
    end = time.monotonic() + 40
    split = None
    while time.monotonic() < end and (split is None or time.monotonic() < split + 2):
        pending = [(key, sent[key]) for key in keys]
        for key in keys:
            sent[key] += 1
        while pending:
            entries = [
                {"Data": f"{number:08}".encode() + b"x" * 4000, "PartitionKey": key} for key, number in pending
            ]
            answer = kinesis.put_records(StreamName="s", Records=entries)
            pending = [one for one, result in zip(pending, answer["Records"]) if "ErrorCode" in result]
            if pending:
                time.sleep(0.1)
        time.sleep(0.15)
        if split is None and open_shards(kinesis, "s") > 4:
            split = time.monotonic()
    assert split is not None, "no shard was split in 40 s"
    assert kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
    read = {key: [] for key in keys}
    client = aws.client("kinesis", collector, attempts=20)
    for shard in sorted(aws.list_shards(client, "s"), key=lambda shard: shard["ShardId"]):
        for record in aws.read_shard(client, "s", shard["ShardId"]):
            read[record["PartitionKey"]].append(int(record["Data"][:8]))
    assert read == {key: list(range(count)) for key, count in sent.items()}


def test_an_agent_behind_a_throttled_shard_loses_nothing_and_repeats_nothing(stage, tmp_path):
    collector = stage.collector(extra=["--limits", "aws"])
    kinesis = aws.client("kinesis", collector, attempts=20)
    aws.create_stream(kinesis, "logs", 1)
    folder = tmp_path / "logs"
    folder.mkdir()
    lines = [f"line {number}" for number in range(5000)]
    (folder / "app.log").write_text("".join(line + "\n" for line in lines))
    flow = {"filePattern": str(folder / "*.log"), "kinesisStream": "logs", "initialPosition": "START_OF_FILE"}
    stage.agent(collector, [{**flow, "maxBufferAgeMillis": 1000}]).start()

    def read():
        return aws.StreamReader(kinesis, "logs").read().texts

    eventually(lambda: len(read()) >= len(lines), 60, 2, "every line arrives")
    time.sleep(1)
    aws.expect_exactly_once(lines, read(), "behind a throttled shard")
