"""Answers of AWS that others wrote down: in public reports of errors, and in emulators' suites that ran against AWS too."""

import base64
import time

import pytest

import aws
import wire
from checks import SHARD, refused, shard_id
from programs import ACCOUNT, eventually


@pytest.mark.parametrize(
    "other",
    [
        {"StreamName": "s"},
        {"StreamARN": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"},
        {"ExclusiveStartShardId": SHARD},
        {"StreamCreationTimestamp": 1700000000},
        {"ShardFilter": {"Type": "AT_LATEST"}},
    ],
)
def test_a_token_of_list_shards_stands_alone(kinesis, streams, other):
    token = kinesis.list_shards(StreamName=streams.create(2), MaxResults=1)["NextToken"]
    message = refused("InvalidArgumentException", kinesis.list_shards, NextToken=token, **other)
    assert message == f"NextToken and {next(iter(other))} cannot be provided together."


def test_a_starting_number_goes_with_two_kinds_of_iterator(kinesis, stream):
    def refuse(kind, given, **keys):
        call = kinesis.get_shard_iterator
        keys = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": kind, **keys}
        message = refused("InvalidArgumentException", call, **keys)
        assert message.endswith(f"Request specified {kind} and {given} StartingSequenceNumber.")

    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        refuse(kind, "no")
    for kind in ("TRIM_HORIZON", "LATEST"):
        refuse(kind, "also a", StartingSequenceNumber="49")


@pytest.mark.parametrize("name", ["ABKLFD8", "2147483648", "shardId-002147483648", "2.14E4"])
def test_shards_that_can_be_of_no_stream_are_missed_before_the_stream(kinesis, name):
    missing = f"Could not find shard {name} in stream nowhere under account {ACCOUNT}."
    keys = {"StreamName": "nowhere"}
    split = {**keys, "ShardToSplit": name, "NewStartingHashKey": "1"}
    assert refused("ResourceNotFoundException", kinesis.split_shard, **split) == missing
    for first, second in [(name, SHARD), (SHARD, name)]:
        merge = {**keys, "ShardToMerge": first, "AdjacentShardToMerge": second}
        assert refused("ResourceNotFoundException", kinesis.merge_shards, **merge) == missing


def test_a_boundary_beyond_all_keys_is_one_outside_its_shard(kinesis, stream):
    key = "9" * 39
    split = {"StreamName": stream, "NewStartingHashKey": key}
    message = refused("InvalidArgumentException", kinesis.split_shard, ShardToSplit=SHARD, **split)
    assert message == (
        f"NewStartingHashKey {key} used in SplitShard() on shard {SHARD} in stream {stream} under account {ACCOUNT} is "
        "not both greater than one plus the shard's StartingHashKey 0 and less than the shard's EndingHashKey "
        f"{2**128 - 1}."
    )
    refused("ResourceNotFoundException", kinesis.split_shard, ShardToSplit=shard_id(7), **split)


def test_tags_are_looked_at_when_the_stream_is_found(kinesis, stream):
    missing = f"Stream nowhere under account {ACCOUNT} not found."
    remove, add = kinesis.remove_tags_from_stream, kinesis.add_tags_to_stream
    assert refused("ResourceNotFoundException", remove, StreamName="nowhere", TagKeys=[";"]) == missing
    assert refused("ResourceNotFoundException", add, StreamName="nowhere", Tags={";": ""}) == missing
    message = refused("InvalidArgumentException", remove, StreamName=stream, TagKeys=["abc%def"])
    assert message == (
        f"Failed to remove tags from stream {stream} under account {ACCOUNT} because some tags contained illegal "
        "characters. The allowed characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@'."
    )


def test_a_number_of_a_shard_below_zero_is_a_number(kinesis, stream):
    number = str(0x20000000000000000000000000000000000000800000002)
    kinesis.put_record(StreamName=stream, Data=b"", PartitionKey="k", SequenceNumberForOrdering=number)
    keys = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
    call = kinesis.get_shard_iterator
    message = refused("InvalidArgumentException", call, StartingSequenceNumber=number, **keys)
    assert message == (
        "Invalid StartingSequenceNumber. It encodes shardId--02147483648, while it was used in a call to a shard with "
        + SHARD
    )


def test_a_retention_below_one_hour_breaks_a_constraint(kinesis, unchecked, stream):
    for call in (unchecked.increase_stream_retention_period, unchecked.decrease_stream_retention_period):
        message = refused("ValidationException", call, StreamName=stream, RetentionPeriodHours=-1)
        assert message == (
            "1 validation error detected: Value '-1' at 'retentionPeriodHours' failed to satisfy constraint: Member must "
            "have value greater than or equal to 1"
        )


def test_a_stream_deleted_while_it_was_created_never_shows_shards(stage):
    collector = stage.collector(extra=["--limits", "none", "--transition-millis", "1000"])
    kinesis = aws.client("kinesis", collector)
    kinesis.create_stream(StreamName="s", ShardCount=2)
    kinesis.delete_stream(StreamName="s")
    found = kinesis.describe_stream(StreamName="s")["StreamDescription"]
    assert (found["StreamStatus"], found["Shards"]) == ("DELETING", [])


def test_a_stream_with_consumers_is_deleted_with_them_or_not_at_all(kinesis, stream, consumer):
    consumer(stream, "reader")
    message = refused("ResourceInUseException", kinesis.delete_stream, StreamName=stream)
    assert message == (
        f"DeleteStream can't delete {ACCOUNT}:{stream} because there are consumers associated with this data stream. To "
        f"delete {stream} anyway, set the EnforceConsumerDeletion parameter to true to force the deletion of all the "
        "consumers that are associated with it."
    )
    kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)


def test_a_consumer_that_is_gone_is_missed_with_its_time(kinesis, stream, consumer):
    arn = consumer(stream, "reader")
    kinesis.deregister_stream_consumer(ConsumerARN=arn)

    def gone():
        return not kinesis.list_stream_consumers(StreamARN=arn.split("/consumer/")[0])["Consumers"]

    eventually(gone, 10, 0.01, "the consumer is gone")
    call = kinesis.subscribe_to_shard
    keys = {"ConsumerARN": arn, "ShardId": SHARD, "StartingPosition": {"Type": "LATEST"}}
    message = refused("ResourceNotFoundException", call, **keys)
    created = arn.rsplit(":", 1)[1]
    assert message == (
        f"Consumer reader with creation timestamp {created} under stream: {stream}, account {ACCOUNT} not found."
    )


def test_a_policy_that_is_not_there_is_missed(kinesis, streams, stream, consumer):
    for arn in (streams.arn(stream), consumer(stream, "reader")):
        message = refused("ResourceNotFoundException", kinesis.delete_resource_policy, ResourceARN=arn)
        assert message == f"No resource policy found for resource ARN {arn}."


def test_a_policy_is_asked_for_in_its_region_and_account(kinesis):
    elsewhere = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/s"
    message = refused("InvalidArgumentException", kinesis.get_resource_policy, ResourceARN=elsewhere)
    assert message == f"The region specified in the ARN '{elsewhere}' does not match the endpoint region"
    foreign = "arn:aws:kinesis:us-east-1:999999999999:stream/s"
    message = refused("UnrecognizedClientException", kinesis.get_resource_policy, ResourceARN=foreign)
    assert message == "No account found for the given parameters"


def test_an_iterator_has_the_length_and_the_beginning_of_awss(kinesis, streams):
    for length in (1, 13, 14, 29, 30, 128):
        name = "n" * length
        streams.names.append(name)
        aws.create_stream(kinesis, name)
        keys = {"StreamName": name, "ShardId": SHARD, "ShardIteratorType": "LATEST"}
        decoded = base64.b64decode(kinesis.get_shard_iterator(**keys)["ShardIterator"])
        assert decoded[:8] == bytes(7) + b"\x01"
        assert len(decoded) == 152 + (length + 2) // 16 * 16


def test_a_reader_is_behind_by_the_age_of_what_it_read_last(kinesis, stream):
    for data in (b"first", b"second"):
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k")
        time.sleep(1 if data == b"first" else 0)
    keys = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(**keys)["ShardIterator"]
    answer = kinesis.get_records(ShardIterator=iterator, Limit=1)
    assert [record["Data"] for record in answer["Records"]] == [b"first"]
    assert 1000 <= answer["MillisBehindLatest"] < 5000
    assert kinesis.get_records(ShardIterator=answer["NextShardIterator"], Limit=1)["MillisBehindLatest"] == 0


def fields(number):
    """Creation and arrival of a sequence number of version 2, in seconds."""
    digits = f"{int(number):047x}"
    return int(digits[1:10], 16), int(digits[29:38], 16)


def test_children_are_stamped_a_second_behind_their_parents_end(kinesis, stream, eventually_active):
    for round in range(3):
        shards = kinesis.list_shards(StreamName=stream)["Shards"]
        parent = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]][-1]
        begin, end = (int(parent["HashKeyRange"][key]) for key in ("StartingHashKey", "EndingHashKey"))
        # Whatever part of a second it is.
        time.sleep(0.3)
        middle = (begin + end) // 2 + 1
        kinesis.split_shard(StreamName=stream, ShardToSplit=parent["ShardId"], NewStartingHashKey=str(middle))
        eventually_active(stream)
        shards = {shard["ShardId"]: shard for shard in kinesis.list_shards(StreamName=stream)["Shards"]}
        _, ended = fields(shards[parent["ShardId"]]["SequenceNumberRange"]["EndingSequenceNumber"])
        for child in shards.values():
            if child.get("ParentShardId") != parent["ShardId"]:
                continue
            created, time_of_start = fields(child["SequenceNumberRange"]["StartingSequenceNumber"])
            assert created == time_of_start == ended + 1
            key = child["HashKeyRange"]["StartingHashKey"]
            put = kinesis.put_record(StreamName=stream, Data=b"", PartitionKey="k", ExplicitHashKey=key)
            stamped, arrived = fields(put["SequenceNumber"])
            assert stamped == created and arrived >= created


@pytest.fixture
def eventually_active(kinesis):
    def wait(name):
        def active():
            return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"

        eventually(active, 10, 0.01, f"{name} is ACTIVE")

    return wait


def test_a_stream_for_more_shards_than_the_account_has_is_beyond_its_quota(stage):
    collector = stage.collector(extra=["--limits", "aws"])
    kinesis = aws.client("kinesis", collector)
    message = refused("LimitExceededException", kinesis.create_stream, StreamName="s", ShardCount=100_000)
    assert message.startswith(
        f"This request would exceed the shard limit for the account {ACCOUNT} in us-east-1. Current shard count for the "
        "account: 0. Limit: "
    )
    assert "Number of additional shards that would have resulted from this request: 100000." in message


def test_a_request_without_a_body_is_answered_in_cbor_but_for_json_1_1(collector):
    for content, answered in [
        ("application/x-amz-json-1.1", "application/x-amz-json-1.1"),
        ("application/x-amz-json-1.0", "application/x-amz-cbor-1.1"),
    ]:
        answer = wire.send(collector, {"Content-Type": content, "X-Amz-Target": "Kinesis_20131202.ListStreams"})
        assert (answer.status, answer.headers["content-type"]) == (400, answered)
