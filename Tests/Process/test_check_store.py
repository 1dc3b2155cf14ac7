"""`millrace check-store`, and a store that something has damaged."""

import json

import aws
from programs import BINARIES, eventually, run_program

DATA = [f"record {number} ".encode() * 40 for number in range(30)]


def check(data_dir, *arguments):
    return run_program(BINARIES / "millrace", ["check-store", str(data_dir), *arguments], {})


def findings(result):
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return lines[:-1], lines[-1]


def put_all(kinesis):
    for number, data in enumerate(DATA):
        kinesis.put_record(StreamName="orders", Data=data, PartitionKey=str(number))


def the_segment(collector):
    (segment,) = [path for path in (collector.data / "log").glob("*/0/*.log") if path.stat().st_size > 5000]
    return segment


def frames(segment):
    """Offsets of the frames: each envelope tells its length."""
    data, at, found = segment.read_bytes(), 64, []
    while at < len(data):
        assert data[at : at + 4] == b"KSF1"
        found.append(at)
        at += int.from_bytes(data[at + 8 : at + 12], "little")
    return found


def flip(segment, offset):
    data = bytearray(segment.read_bytes())
    data[offset] ^= 1
    segment.write_bytes(data)


def test_a_running_store_is_not_checked_and_a_stopped_one_is_sound(collector, kinesis):
    aws.create_stream(kinesis, "orders", 3)
    put_all(kinesis)
    running = check(collector.data)
    assert running.returncode == 1 and "stop it" in running.stderr, running
    assert collector.stop() == 0
    result = check(collector.data)
    assert result.returncode == 0 and "no damage" in result.stdout, result
    found, summary = findings(check(collector.data, "--output", "json"))
    assert found == [] and summary["records"] == len(DATA) and summary["damage"] == 0
    nothing = check(collector.data / "nothing")
    assert nothing.returncode == 64 and "--data-dir" in nothing.stderr


def test_a_damaged_frame_is_told_of_and_never_served_and_its_neighbours_are(collector, kinesis):
    aws.create_stream(kinesis, "orders", 1)
    put_all(kinesis)
    assert collector.stop() == 0
    segment = the_segment(collector)
    places = frames(segment)
    assert len(places) == len(DATA)
    # One frame's records, and another one's envelope.
    flip(segment, places[10] + 300)
    flip(segment, places[20] + 17)

    result = check(collector.data)
    assert result.returncode == 1, result
    for place in (places[10], places[20]):
        assert f"damage: {segment}:{place}: " in result.stdout, result.stdout
    assert "DAMAGE in 2 places" in result.stdout
    assert check(collector.data).stdout == result.stdout, "checking changes nothing"

    collector.start()
    kinesis = aws.client("kinesis", collector)
    shard = kinesis.list_shards(StreamName="orders")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="orders", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    read, iterator = [], iterator["ShardIterator"]
    while len(read) < len(DATA) - 2:
        page = kinesis.get_records(ShardIterator=iterator, Limit=7)
        read += [record["Data"] for record in page["Records"]]
        iterator = page["NextShardIterator"]
    assert read == [data for number, data in enumerate(DATA) if number not in (10, 20)]
    kinesis.put_record(StreamName="orders", Data=b"one more", PartitionKey="k")
    eventually(lambda: kinesis.get_records(ShardIterator=iterator)["Records"], 10, what="the shard goes on")
    said = collector.err.read_text()
    assert "damaged" in said and str(segment) in said and str(places[10]) in said, said


def test_what_a_crash_leaves_behind_the_last_frame_is_no_damage(collector, kinesis):
    aws.create_stream(kinesis, "orders", 1)
    put_all(kinesis)
    assert collector.stop() == 0
    segment = the_segment(collector)
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[64:200])
    found, summary = findings(check(collector.data, "--output", "json"))
    assert summary["damage"] == 0 and [finding["kind"] for finding in found] == ["note"]
    assert found[0]["offset"] == len(whole) and "torn" in found[0]["what"]
    collector.start()
    assert collector.stop() == 0
    assert check(collector.data).returncode == 0
