"""PutRecord and PutRecords."""

import hashlib
import re

import pytest

import aws
from checks import MOST, SHARD, UNSHOWN, breaks, longer, refused, shard_id, shorter
from programs import ACCOUNT

# Version 2 of a sequence number, in 47 hex digits; see section 4 of the reference.
NUMBER = re.compile(
    r"2(?P<created>[0-9a-f]{9})(?P<nibble>[0-9a-f])(?P<counter>[0-9a-f]{16})00(?P<time>[0-9a-f]{9})"
    r"(?P<shard>[0-9a-f]{8})2"
)


def test_the_shard_is_chosen_by_the_md5_of_the_key(kinesis, streams):
    name = streams.create(7)
    width = 2**128 // 7
    for key in ["a", "schlüssel", "🔑", "x" * 256, "0", " ", "é" * 200]:
        hashed = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        put = kinesis.put_record(StreamName=name, Data=b"", PartitionKey=key)
        assert put["ShardId"] == shard_id(min(hashed // width, 6)), key
        batch = kinesis.put_records(StreamName=name, Records=[{"Data": b"", "PartitionKey": key}])
        assert batch["Records"][0]["ShardId"] == put["ShardId"]


def test_an_explicit_hash_key_overrides_the_key(kinesis, streams):
    name = streams.create(2)
    for hash_key, index in [(0, 0), (2**127 - 1, 0), (2**127, 1), (MOST, 1)]:
        put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey=str(hash_key))
        assert put["ShardId"] == shard_id(index)
        entry = {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(hash_key)}
        batch = kinesis.put_records(StreamName=name, Records=[entry])
        assert batch["Records"][0]["ShardId"] == shard_id(index)


def test_a_hash_key_beyond_the_last_is_refused(kinesis, stream):
    for value in (2**128, 10**39 - 1):
        message = refused(
            "InvalidArgumentException",
            kinesis.put_record,
            StreamName=stream,
            Data=b"x",
            PartitionKey="k",
            ExplicitHashKey=str(value),
        )
        assert message == (
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {value}"
        )
        entry = {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(value)}
        refused("InvalidArgumentException", kinesis.put_records, StreamName=stream, Records=[entry])


@pytest.mark.parametrize("value", ["-1", "01", "1.5", "abc", "", "1" * 40])
def test_a_hash_key_that_is_no_number_breaks_its_constraint(unchecked, stream, value):
    words = {breaks(value, "explicitHashKey", "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})")}
    refused(
        "ValidationException",
        unchecked.put_record,
        words,
        StreamName=stream,
        Data=b"x",
        PartitionKey="k",
        ExplicitHashKey=value,
    )


def test_sequence_numbers_have_awss_form_and_rise(kinesis, streams):
    name = streams.create(3)
    last = {}
    for index in range(40):
        put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey=str(index))
        number = int(put["SequenceNumber"])
        assert len(put["SequenceNumber"]) == 56 and put["SequenceNumber"].startswith("49")
        parts = NUMBER.fullmatch(f"{number:x}")
        assert parts, f"{number:x}"
        shard = int(put["ShardId"][-4:])
        assert int(parts["shard"], 16) == shard and int(parts["nibble"], 16) == shard & 15
        assert number > last.get(shard, 0)
        last[shard] = number
        position = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": put["SequenceNumber"]}
        at = kinesis.get_shard_iterator(StreamName=name, ShardId=put["ShardId"], **position)["ShardIterator"]
        arrived = kinesis.get_records(ShardIterator=at)["Records"][0]["ApproximateArrivalTimestamp"].timestamp()
        assert abs(int(parts["time"], 16) - arrived) <= 2
    shards = kinesis.list_shards(StreamName=name)["Shards"]
    for index, shard in enumerate(shards):
        first = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        assert NUMBER.fullmatch(f"{int(first):x}") and int(first) <= last[index]


def test_empty_data_is_a_record_and_every_byte_comes_back(kinesis, stream):
    sent = [b"", bytes(range(256)), b"\x00", b"\xff" * 3, "ü".encode()]
    for data in sent:
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k")
    kinesis.put_records(StreamName=stream, Records=[{"Data": data, "PartitionKey": "k"} for data in sent])
    assert [record["Data"] for record in aws.read_shard(kinesis, stream, SHARD)] == sent * 2


def test_a_number_for_ordering_is_any_number_of_the_stream(kinesis, stream):
    first = kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="k")["SequenceNumber"]
    second = kinesis.put_record(StreamName=stream, Data=b"2", PartitionKey="k", SequenceNumberForOrdering=first)
    assert int(second["SequenceNumber"]) > int(first)
    third = kinesis.put_record(StreamName=stream, Data=b"3", PartitionKey="k", SequenceNumberForOrdering=first)
    assert int(third["SequenceNumber"]) > int(second["SequenceNumber"])
    # An hour ahead: the time stands 36 bits from the right.
    ahead = str(int(third["SequenceNumber"]) + (3600 << 36))
    for number in (ahead, "5" + "0" * 60):
        words = (
            f"ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream {stream} under account {ACCOUNT} is "
            "invalid."
        )
        refused(
            "InvalidArgumentException",
            kinesis.put_record,
            words,
            StreamName=stream,
            Data=b"x",
            PartitionKey="k",
            SequenceNumberForOrdering=number,
        )


def test_a_batch_is_answered_in_request_order(kinesis, streams):
    name = streams.create(4)
    records = [{"Data": f"{index}".encode(), "PartitionKey": f"key {index % 17}"} for index in range(500)]
    answer = kinesis.put_records(StreamName=name, Records=records)
    assert answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 500
    width = 2**128 // 4
    for record, result in zip(records, answer["Records"]):
        hashed = int.from_bytes(hashlib.md5(record["PartitionKey"].encode()).digest(), "big")
        assert result["ShardId"] == shard_id(hashed // width)
        assert "ErrorCode" not in result and "ErrorMessage" not in result
    numbers = {result["SequenceNumber"] for result in answer["Records"]}
    assert len(numbers) == 500
    found = {}
    for index in range(4):
        for record in aws.read_shard(kinesis, name, shard_id(index)):
            found[record["SequenceNumber"]] = record["Data"]
    assert {result["SequenceNumber"]: r["Data"] for result, r in zip(answer["Records"], records)} == found


def test_a_batch_has_at_most_500_records_and_10_mib(kinesis, unchecked, stream):
    many = [{"Data": b"", "PartitionKey": "k"}] * 501
    violation = {breaks(UNSHOWN, "records", shorter(500))}
    refused("ValidationException", unchecked.put_records, violation, StreamName=stream, Records=many)
    refused("ValidationException", unchecked.put_records, StreamName=stream, Records=[])
    fits = [{"Data": b"x" * (1024 * 1024 - 1), "PartitionKey": "k"}] * 10
    assert kinesis.put_records(StreamName=stream, Records=fits)["FailedRecordCount"] == 0
    codes = ("InvalidArgumentException", "ValidationException")
    refused(codes, unchecked.put_records, StreamName=stream, Records=[*fits, {"Data": b"", "PartitionKey": "k"}])


def test_a_batch_with_one_bad_entry_is_refused_whole(unchecked, stream):
    good = {"Data": b"x", "PartitionKey": "k"}
    pattern = "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})"
    for bad, expected in [
        ({"Data": b"x", "PartitionKey": ""}, breaks("", "records.2.member.partitionKey", longer(1))),
        ({"Data": b"x", "PartitionKey": "k" * 257}, breaks("k" * 257, "records.2.member.partitionKey", shorter(256))),
        ({"PartitionKey": "k"}, breaks(None, "records.2.member.data", "Member must not be null")),
        (
            {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "-5"},
            breaks("-5", "records.2.member.explicitHashKey", pattern),
        ),
    ]:
        refused("ValidationException", unchecked.put_records, {expected}, StreamName=stream, Records=[good, bad])
    assert aws.read_shard(unchecked, stream, SHARD) == []


def test_partition_keys_are_1_to_256_characters(kinesis, unchecked, stream):
    for key in ("", "k" * 257):
        refused("ValidationException", unchecked.put_record, StreamName=stream, Data=b"x", PartitionKey=key)
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="ü" * 256)
    assert aws.read_shard(kinesis, stream, SHARD)[-1]["PartitionKey"] == "ü" * 256
