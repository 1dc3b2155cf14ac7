"""GetShardIterator and GetRecords."""

import json
import re
import time

import pytest

import aws
import wire
from checks import MIDDLE, SHARD, breaks, at_least, at_most, refused, shard_id, shorter
from programs import ACCOUNT


@pytest.fixture
def iterator(kinesis):
    def make(name, kind, shard=SHARD, **keys):
        answer = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType=kind, **keys)
        return answer["ShardIterator"]

    return make


@pytest.fixture
def read(kinesis, iterator):
    def data(name, kind, shard=SHARD, **keys):
        answer = kinesis.get_records(ShardIterator=iterator(name, kind, shard, **keys))
        return [record["Data"] for record in answer["Records"]]

    return data


@pytest.fixture
def filled(kinesis, stream):
    """A stream with five records that came in five milliseconds, and what their puts answered."""
    puts = []
    for index in range(5):
        puts.append(kinesis.put_record(StreamName=stream, Data=b"%d" % index, PartitionKey=f"k{index}"))
        time.sleep(0.004)
    return stream, puts


ALL = [b"0", b"1", b"2", b"3", b"4"]


def test_each_type_starts_where_it_says(kinesis, filled, iterator, read):
    stream, puts = filled
    number = puts[2]["SequenceNumber"]
    assert read(stream, "TRIM_HORIZON") == ALL
    assert read(stream, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=number) == ALL[2:]
    assert read(stream, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=number) == ALL[3:]
    assert read(stream, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=puts[4]["SequenceNumber"]) == []
    latest = iterator(stream, "LATEST")
    kinesis.put_record(StreamName=stream, Data=b"new", PartitionKey="k")
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=latest)["Records"]] == [b"new"]
    first = kinesis.list_shards(StreamName=stream)["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"]
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        assert read(stream, kind, StartingSequenceNumber=first) == [*ALL, b"new"]


def test_a_timestamp_starts_at_the_first_record_of_that_millisecond(collector, kinesis, filled):
    stream, _ = filled
    records = aws.read_shard(kinesis, stream, SHARD)
    times = [round(record["ApproximateArrivalTimestamp"].timestamp() * 1000) for record in records]
    assert len(set(times)) == 5

    def iterator(written):
        # boto3 cuts times off to seconds.
        keys = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "AT_TIMESTAMP"}
        body = json.dumps(keys)[:-1] + f', "Timestamp": {written}}}'
        return wire.call(collector, "GetShardIterator", body.encode()).content["ShardIterator"]

    def read(written):
        answer = kinesis.get_records(ShardIterator=iterator(written))
        return [record["Data"] for record in answer["Records"]]

    for index, arrived in enumerate(times):
        seconds, rest = divmod(arrived, 1000)
        # As a fraction, with an exponent, with more digits than are kept.
        for written in (f"{seconds}.{rest:03}", f"{arrived}e-3", f"{seconds}.{rest:03}000"):
            assert read(written) == ALL[index:], written
        assert read(f"{arrived + 1}e-3") == ALL[index + 1 :]
        assert read(f"{arrived - 1}e-3") == ALL[index:]
    assert read(times[0] // 1000 - 400 * 86400) == ALL
    assert read(0) == ALL
    # None yet at that time: like LATEST.
    at = iterator(f"{times[4] + 1}e-3")
    kinesis.put_record(StreamName=stream, Data=b"new", PartitionKey="k")
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=at)["Records"]] == [b"new"]


def test_a_timestamp_must_be_there_and_not_lie_ahead(kinesis, stream):
    keys = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "AT_TIMESTAMP"}
    words = (
        "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp "
        "parameter."
    )
    refused("InvalidArgumentException", kinesis.get_shard_iterator, words, **keys)
    ahead = int(time.time()) + 3600
    pattern = re.compile(
        r"The timestampInMillis parameter cannot be greater than the currentTimestampInMillis\. "
        rf"timestampInMillis: {ahead}000, currentTimestampInMillis: \d{{13}}"
    )
    refused("InvalidArgumentException", kinesis.get_shard_iterator, pattern, Timestamp=ahead, **keys)


def test_a_number_goes_with_the_two_types_that_need_one(kinesis, filled):
    stream, puts = filled
    keys = {"StreamName": stream, "ShardId": SHARD}

    def words(kind, has):
        return (
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) "
            "TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified "
            f"{kind} and {has} StartingSequenceNumber."
        )

    number = puts[0]["SequenceNumber"]
    for kind in ("TRIM_HORIZON", "LATEST"):
        keys["ShardIteratorType"] = kind
        call = kinesis.get_shard_iterator
        refused("InvalidArgumentException", call, words(kind, "also a"), StartingSequenceNumber=number, **keys)
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        keys["ShardIteratorType"] = kind
        refused("InvalidArgumentException", kinesis.get_shard_iterator, words(kind, "no"), **keys)


def test_a_number_must_be_of_this_shard_and_stream(kinesis, streams):
    name, other = streams.create(2), streams.create(2)
    low = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey="0")["SequenceNumber"]
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        keys = {"ShardIteratorType": kind, "StartingSequenceNumber": low}
        words = (
            f"Invalid StartingSequenceNumber. It encodes {shard_id(0)}, while it was used in a call to a shard with "
            f"{shard_id(1)}"
        )
        call = kinesis.get_shard_iterator
        refused("InvalidArgumentException", call, words, StreamName=name, ShardId=shard_id(1), **keys)
        where = f"used in GetShardIterator on shard {SHARD} in stream {name} under account {ACCOUNT} is invalid"
        garbage = "9" * 60
        keys["StartingSequenceNumber"] = garbage
        words = f"StartingSequenceNumber {garbage} {where}."
        refused("InvalidArgumentException", call, words, StreamName=name, ShardId=SHARD, **keys)
    assert other


def test_a_number_of_a_stream_that_was_made_later_is_not_of_this_one(kinesis, streams):
    name = streams.create()
    time.sleep(1.01 - time.time() % 1)
    other = streams.create()
    number = kinesis.put_record(StreamName=other, Data=b"x", PartitionKey="k")["SequenceNumber"]
    words = (
        f"StartingSequenceNumber {number} used in GetShardIterator on shard {SHARD} in stream {name} under account "
        f"{ACCOUNT} is invalid because it did not come from this stream."
    )
    keys = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
    refused("InvalidArgumentException", kinesis.get_shard_iterator, words, StreamName=name, ShardId=SHARD, **keys)


def test_an_iterator_is_a_position_and_may_be_used_again(kinesis, filled, iterator):
    stream, _ = filled
    at = iterator(stream, "TRIM_HORIZON")
    assert 1 <= len(at) <= 512
    first = kinesis.get_records(ShardIterator=at, Limit=2)
    assert [record["Data"] for record in first["Records"]] == ALL[:2]
    assert first["MillisBehindLatest"] > 0 and "ChildShards" not in first
    again = kinesis.get_records(ShardIterator=at, Limit=2)
    assert again["Records"] == first["Records"]
    for page in (first, again):
        rest = kinesis.get_records(ShardIterator=page["NextShardIterator"])
        assert [record["Data"] for record in rest["Records"]] == ALL[2:]
        assert rest["MillisBehindLatest"] == 0
        after = kinesis.get_records(ShardIterator=rest["NextShardIterator"])
        assert (after["Records"], after["MillisBehindLatest"]) == ([], 0)
        assert after["NextShardIterator"]
    # As pasted from the command line's answer.
    assert kinesis.get_records(ShardIterator=f'"{at}"')["Records"] == again["Records"] + rest["Records"]


def test_a_record_says_everything(kinesis, filled):
    stream, puts = filled
    records = aws.read_shard(kinesis, stream, SHARD)
    assert [record["SequenceNumber"] for record in records] == [put["SequenceNumber"] for put in puts]
    assert [record["PartitionKey"] for record in records] == [f"k{index}" for index in range(5)]
    for record in records:
        assert record.get("EncryptionType", "NONE") == "NONE"
        assert abs(record["ApproximateArrivalTimestamp"].timestamp() - time.time()) < 30


def test_what_is_no_iterator_is_refused(kinesis, unchecked, filled, iterator):
    stream, _ = filled
    at = iterator(stream, "TRIM_HORIZON")
    for bad in ("AAAA", "x", "no iterator", at[:-8], at[:-8] + "AAAAAAA=", "A" * 512, '""'):
        refused("InvalidArgumentException", kinesis.get_records, "Invalid ShardIterator.", ShardIterator=bad)
    refused("ValidationException", unchecked.get_records, {breaks(None, "shardIterator", "Member must not be null")})
    refused(
        "ValidationException",
        unchecked.get_records,
        {breaks("A" * 513, "shardIterator", shorter(512))},
        ShardIterator="A" * 513,
    )
    for limit, constraint in [(0, at_least(1)), (10001, at_most(10000)), (-3, at_least(1))]:
        words = {breaks(limit, "limit", constraint)}
        refused("ValidationException", unchecked.get_records, words, ShardIterator=at, Limit=limit)


def test_pages_have_at_most_10_mib_and_10000_records(kinesis, streams):
    name = streams.create()
    batch = [{"Data": b"", "PartitionKey": "k"}] * 500
    for _ in range(21):
        kinesis.put_records(StreamName=name, Records=batch)
    at = kinesis.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    page = kinesis.get_records(ShardIterator=at, Limit=10000)
    assert len(page["Records"]) <= 10000 and page["MillisBehindLatest"] >= 0
    count = 0
    while at:
        page = kinesis.get_records(ShardIterator=at)
        count += len(page["Records"])
        at = page["NextShardIterator"] if page["Records"] else None
    assert count == 10500

    name = streams.create()
    for _ in range(2):
        kinesis.put_records(StreamName=name, Records=[{"Data": b"x" * 1_000_000, "PartitionKey": "k"}] * 10)
    at = kinesis.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    sizes = []
    while at:
        page = kinesis.get_records(ShardIterator=at)
        sizes.append(sum(len(record["Data"]) + len(record["PartitionKey"]) for record in page["Records"]))
        at = page["NextShardIterator"] if page["Records"] else None
    assert sum(sizes) == 20_000_020 and max(sizes) <= 10 * 1024 * 1024


def test_the_end_of_a_split_shard_names_both_children(kinesis, streams, filled, iterator):
    stream, _ = filled
    open_end = iterator(stream, "LATEST")
    streams.split(stream, SHARD, MIDDLE)
    shards = {shard["ShardId"]: shard for shard in kinesis.list_shards(StreamName=stream)["Shards"]}

    def expect_end(page):
        assert page.get("NextShardIterator") is None
        assert page["ChildShards"] == [
            {"ShardId": child, "ParentShards": [SHARD], "HashKeyRange": shards[child]["HashKeyRange"]}
            for child in (shard_id(1), shard_id(2))
        ]

    data, at = [], iterator(stream, "TRIM_HORIZON")
    while at:
        page = kinesis.get_records(ShardIterator=at, Limit=2)
        data += [record["Data"] for record in page["Records"]]
        at = page.get("NextShardIterator")
        # KCL refuses a page that has both or neither.
        assert (at is None) == bool(page.get("ChildShards"))
    assert data == ALL
    expect_end(page)
    # LATEST on a closed shard is its end, and so is a position that was the end before.
    for at in (iterator(stream, "LATEST"), open_end):
        page = kinesis.get_records(ShardIterator=at)
        assert page["Records"] == [] and page["MillisBehindLatest"] == 0
        expect_end(page)
    end = shards[SHARD]["SequenceNumberRange"]["EndingSequenceNumber"]
    page = kinesis.get_records(ShardIterator=iterator(stream, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=end))
    expect_end(page)


def test_the_end_of_a_merged_shard_names_the_one_child_with_both_parents(kinesis, streams):
    name = streams.create(2)
    streams.merge(name, shard_id(0), shard_id(1))
    for parent in (shard_id(0), shard_id(1)):
        answer = kinesis.get_shard_iterator(StreamName=name, ShardId=parent, ShardIteratorType="TRIM_HORIZON")
        page = kinesis.get_records(ShardIterator=answer["ShardIterator"])
        assert page.get("NextShardIterator") is None
        [child] = page["ChildShards"]
        assert (child["ShardId"], child["ParentShards"]) == (shard_id(2), [shard_id(0), shard_id(1)])
        assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}


def test_millis_behind_latest_is_the_age_of_what_is_unread(kinesis, stream):
    for index in range(2):
        kinesis.put_record(StreamName=stream, Data=b"%d" % index, PartitionKey="k")
        time.sleep(0.3)
    at = kinesis.get_shard_iterator(StreamName=stream, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    behind = kinesis.get_records(ShardIterator=at, Limit=1)["MillisBehindLatest"]
    assert 1 <= behind < 5000
    assert kinesis.get_records(ShardIterator=at)["MillisBehindLatest"] == 0
