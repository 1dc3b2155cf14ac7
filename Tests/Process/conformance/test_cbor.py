"""CBOR 1.1: every operation's success and one refusal of each, equal to the JSON answer member by member."""

import base64
import time

import cbor2
import pytest

import aws
import shapes
import wire
from checks import MIDDLE, SHARD, breaks, expect_message, shard_id
from programs import eventually
from wire import CBOR, JSON, Millis

# Members whose values differ between two streams that lived the same life.
OWN = {
    "SequenceNumber",
    "StartingSequenceNumber",
    "EndingSequenceNumber",
    "ShardIterator",
    "NextShardIterator",
    "NextToken",
    "MillisBehindLatest",
}


def checked(collector, operation, content, kind):
    answer = wire.call(collector, operation, content, kind=kind)
    read = {"read": wire.decode_cbor, "kind": CBOR} if kind == CBOR else {}
    shapes.check_answer(operation, answer.status, answer.headers, answer.body, **read)
    return answer


def as_cbor(shape, value):
    """What a JSON answer says, as CBOR says it."""
    if shape.type_name == "structure":
        # Members that are newer than the model have plain values.
        known = shape.members
        return {name: as_cbor(known[name], item) if name in known else item for name, item in value.items()}
    if shape.type_name == "list":
        return [as_cbor(shape.member, item) for item in value]
    if shape.type_name == "blob":
        return base64.b64decode(value)
    if shape.type_name == "timestamp":
        return Millis(round(value * 1000))
    return value


def expect_timestamps(shape, value):
    """Timestamps carry their tag, and whole milliseconds."""
    if shape.type_name == "structure":
        for name in value.keys() & shape.members.keys():
            expect_timestamps(shape.members[name], value[name])
    elif shape.type_name == "list":
        for item in value:
            expect_timestamps(shape.member, item)
    elif shape.type_name == "timestamp":
        assert isinstance(value, Millis), value


class Life:
    """The life of one stream, all in one format."""

    def __init__(self, collector, kinesis, kind, name):
        self.collector, self.kinesis, self.kind, self.name = collector, kinesis, kind, name
        self.arn = aws.stream_arn(name)
        self.answers = []

    def call(self, operation, **content):
        answer = checked(self.collector, operation, content, self.kind)
        self.answers.append((operation, answer))
        if operation != "DeleteStream":
            eventually(self.is_settled, 10, 0.01, "the stream is ACTIVE")
        return answer.content if answer.status == 200 else None

    def is_settled(self):
        try:
            answer = self.kinesis.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]
        except self.kinesis.exceptions.ResourceNotFoundException:
            return True
        return answer["StreamStatus"] == "ACTIVE"

    def run(self):
        call, name, arn = self.call, self.name, self.arn
        stream = {"StreamName": name}
        call("CreateStream", **stream, ShardCount=1, Tags={"born": "with"})
        call("CreateStream", **stream, ShardCount=1)
        call("DescribeStream", **stream)
        call("DescribeStreamSummary", StreamARN=arn)
        call("DescribeStream", StreamName="nowhere")
        call("DescribeStreamSummary", StreamName="nowhere")
        call("ListStreams", Limit=0)
        self.settings(stream, arn)
        self.records(stream, arn)
        self.resources(stream, arn)
        self.reshards(stream, arn)
        call("UpdateStreamMode", StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        call("UpdateStreamMode", StreamARN=arn + "x", StreamModeDetails={"StreamMode": "ON_DEMAND"})
        call("UpdateStreamWarmThroughput", StreamARN=arn + "x", WarmThroughputMiBps=5)
        call("DeleteStream", StreamName="nowhere")
        call("DeleteStream", **stream)

    def settings(self, stream, arn):
        call = self.call
        call("IncreaseStreamRetentionPeriod", **stream, RetentionPeriodHours=48)
        call("IncreaseStreamRetentionPeriod", **stream, RetentionPeriodHours=30)
        call("DecreaseStreamRetentionPeriod", **stream, RetentionPeriodHours=24)
        call("DecreaseStreamRetentionPeriod", **stream, RetentionPeriodHours=12)
        call("EnableEnhancedMonitoring", **stream, ShardLevelMetrics=["IncomingBytes"])
        call("EnableEnhancedMonitoring", **stream, ShardLevelMetrics=[])
        call("DisableEnhancedMonitoring", **stream, ShardLevelMetrics=["IncomingBytes"])
        call("DisableEnhancedMonitoring", StreamName="nowhere", ShardLevelMetrics=["ALL"])
        call("UpdateMaxRecordSize", StreamARN=arn, MaxRecordSizeInKiB=2048)
        call("UpdateMaxRecordSize", StreamARN=arn, MaxRecordSizeInKiB=20480)
        call("StartStreamEncryption", **stream, EncryptionType="KMS", KeyId="alias/mine")
        call("StartStreamEncryption", StreamName="nowhere", EncryptionType="KMS", KeyId="alias/mine")
        call("StopStreamEncryption", **stream, EncryptionType="KMS", KeyId="alias/mine")
        call("StopStreamEncryption", StreamName="nowhere", EncryptionType="KMS", KeyId="alias/mine")

    def records(self, stream, arn):
        call = self.call
        put = call("PutRecord", **stream, Data=bytes(range(256)), PartitionKey="k", ExplicitHashKey="7") or {}
        call("PutRecord", **stream, Data=b"", PartitionKey="")
        entries = [{"Data": b"%d" % index, "PartitionKey": "ü"} for index in range(3)]
        call("PutRecords", **stream, Records=entries)
        call("PutRecords", **stream, Records=[])
        at = {**stream, "ShardId": SHARD}
        position = {"StartingSequenceNumber": put.get("SequenceNumber", "0")}
        for kind, more in [
            ("LATEST", {}),
            ("AT_SEQUENCE_NUMBER", position),
            ("AT_TIMESTAMP", {"Timestamp": Millis(int(time.time() - 9) * 1000 + 123)}),
            ("AT_TIMESTAMP", {}),
            ("TRIM_HORIZON", {}),
        ]:
            answer = call("GetShardIterator", **at, ShardIteratorType=kind, **more)
            if answer:
                call("GetRecords", ShardIterator=answer["ShardIterator"], Limit=10)
        call("GetRecords", ShardIterator="AAAA")

    def resources(self, stream, arn):
        call = self.call
        call("AddTagsToStream", **stream, Tags={"a": "1"})
        call("AddTagsToStream", **stream, Tags={"a;": "1"})
        call("ListTagsForStream", **stream)
        call("ListTagsForStream", **stream, Limit=51)
        call("RemoveTagsFromStream", **stream, TagKeys=["a"])
        call("RemoveTagsFromStream", **stream, TagKeys=[])
        call("TagResource", ResourceARN=arn, Tags={"b": "2"})
        call("TagResource", ResourceARN=arn + "x", Tags={"b": "2"})
        call("ListTagsForResource", ResourceARN=arn)
        call("ListTagsForResource", ResourceARN=arn + "x")
        call("UntagResource", ResourceARN=arn, TagKeys=["b"])
        call("UntagResource", ResourceARN=arn + "x", TagKeys=["b"])
        statement = '{"Effect":"Allow","Principal":"*","Action":"kinesis:*","Resource":"%s"}' % arn
        policy = '{"Version":"2012-10-17","Statement":[%s]}' % statement
        call("PutResourcePolicy", ResourceARN=arn, Policy=policy)
        call("PutResourcePolicy", ResourceARN=arn, Policy="no policy")
        call("GetResourcePolicy", ResourceARN=arn)
        call("GetResourcePolicy", ResourceARN=arn + "x")
        call("DeleteResourcePolicy", ResourceARN=arn)
        call("DeleteResourcePolicy", ResourceARN=arn)
        call("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")
        call("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")
        by_name = {"StreamARN": arn, "ConsumerName": "c"}

        def active():
            description = self.kinesis.describe_stream_consumer(**by_name)["ConsumerDescription"]
            return description["ConsumerStatus"] == "ACTIVE"

        eventually(active, 10, 0.01, "the consumer is ACTIVE")
        call("DescribeStreamConsumer", **by_name)
        call("DescribeStreamConsumer", StreamARN=arn, ConsumerName="d")
        call("ListStreamConsumers", StreamARN=arn)
        call("ListStreamConsumers", StreamARN=arn + "x")
        call("DeregisterStreamConsumer", **by_name)
        call("DeregisterStreamConsumer", StreamARN=arn, ConsumerName="d")

        def gone():
            return self.kinesis.list_stream_consumers(StreamARN=arn)["Consumers"] == []

        eventually(gone, 10, 0.01, "the consumer is gone")

    def reshards(self, stream, arn):
        call = self.call
        call("SplitShard", **stream, ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
        call("SplitShard", **stream, ShardToSplit=SHARD, NewStartingHashKey="00")
        call("ListShards", **stream)
        call("ListShards", **stream, ShardFilter={"Type": "AT_TIMESTAMP", "Timestamp": Millis(time.time() * 1000)})
        call("ListShards", NextToken="AAAA")
        call("MergeShards", **stream, ShardToMerge=shard_id(1), AdjacentShardToMerge=shard_id(2))
        call("MergeShards", **stream, ShardToMerge=shard_id(1), AdjacentShardToMerge=shard_id(2))
        at = call("GetShardIterator", **stream, ShardId=shard_id(1), ShardIteratorType="LATEST")
        call("GetRecords", ShardIterator=at["ShardIterator"])
        call("UpdateShardCount", **stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
        call("UpdateShardCount", **stream, TargetShardCount=0, ScalingType="UNIFORM_SCALING")


# These have nothing of a stream's own, and are compared as they are.
ACCOUNT_WIDE = [
    ("DescribeLimits", {}),
    ("DescribeAccountSettings", {}),
    ("UpdateAccountSettings", {"MinimumThroughputBillingCommitment": {"Status": "X"}}),
    ("ListStreams", {"Limit": 10000}),
    ("ListStreams", {"NextToken": "AAAA"}),
]


@pytest.fixture(scope="module")
def lives(collector, kinesis):
    lives = []
    for kind, name in [(JSON, "life-of-json"), (CBOR, "life-of-cbor")]:
        life = Life(collector, kinesis, kind, name)
        life.run()
        lives.append(life)
    return lives


def neutral(value, name, times):
    """Without what is a stream's own: its name, its numbers, its times."""
    if isinstance(value, dict):
        return {key: "own" if key in OWN else neutral(item, name, times) for key, item in value.items()}
    if isinstance(value, list):
        return [neutral(item, name, times) for item in value]
    if isinstance(value, Millis):
        assert abs(value / 1000 - time.time()) < 300
        times.append(value)
        return "time"
    if isinstance(value, str):
        head, _, tail = value.rpartition(":")
        return (f"{head}:time" if "/consumer/" in head and tail.isdigit() else value).replace(name, "NAME")
    return value


def test_every_operation_says_in_cbor_what_it_says_in_json(lives):
    json_life, cbor_life = lives
    assert len(json_life.answers) == len(cbor_life.answers)
    seen = set()
    for (operation, one), (other, two) in zip(json_life.answers, cbor_life.answers):
        assert operation == other and one.status == two.status, (operation, one, two)
        seen.add((operation, one.status))
        shape = shapes.MODEL.operation_model(operation).output_shape
        if one.status == 200 and not one.body:
            assert two.body == b"", operation
            continue
        if one.status == 200:
            expect_timestamps(shape, two.content)
            expected = as_cbor(shape, one.content)
        else:
            expected = one.content
        times = [], []
        assert neutral(two.content, cbor_life.name, times[0]) == neutral(expected, json_life.name, times[1]), operation
    missing = {
        (operation, status)
        for operation in shapes.MODEL.operation_names
        for status in (200, 400)
        if (operation, status) not in seen
    }
    account_wide = {operation for operation, _ in ACCOUNT_WIDE}
    assert {operation for operation, _ in missing} <= account_wide | {
        "SubscribeToShard",
        "UpdateStreamWarmThroughput",
    }, missing


@pytest.mark.parametrize(("operation", "content"), ACCOUNT_WIDE)
def test_what_is_said_of_the_account_is_the_same(collector, operation, content):
    one, two = (checked(collector, operation, content, kind) for kind in (JSON, CBOR))
    assert one.status == two.status
    if one.status == 200:
        assert two.content == as_cbor(shapes.MODEL.operation_model(operation).output_shape, one.content)
    else:
        assert two.content == one.content


def test_the_same_state_is_told_exactly_alike(collector, kinesis, streams):
    """Same stream, both formats: every number and every millisecond."""
    name = streams.create(2)
    streams.split(name, shard_id(0), 1000)
    for index in range(20):
        kinesis.put_record(StreamName=name, Data=b"%d" % index, PartitionKey=f"key {index}")
    arn = streams.arn(name)
    kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")
    time.sleep(0.1)
    at = kinesis.get_shard_iterator(StreamName=name, ShardId=shard_id(1), ShardIteratorType="TRIM_HORIZON")
    for operation, content in [
        ("DescribeStream", {"StreamName": name}),
        ("DescribeStreamSummary", {"StreamName": name}),
        ("ListShards", {"StreamName": name}),
        ("ListStreams", {"ExclusiveStartStreamName": name[:-1], "Limit": 10}),
        ("ListStreamConsumers", {"StreamARN": arn}),
        ("DescribeStreamConsumer", {"StreamARN": arn, "ConsumerName": "c"}),
        ("GetRecords", {"ShardIterator": at["ShardIterator"]}),
    ]:
        one, two = (checked(collector, operation, content, kind) for kind in (JSON, CBOR))
        expected = as_cbor(shapes.MODEL.operation_model(operation).output_shape, one.content)
        found = two.content
        for answer in (expected, found):
            answer.pop("NextShardIterator", None)
            answer.pop("MillisBehindLatest", None)
        assert found == expected, operation
    numbers = [record["SequenceNumber"] for record in found["Records"]]
    assert numbers and numbers == sorted(numbers)


def test_every_way_of_writing_cbor_is_read(collector, kinesis, stream):
    content = {"StreamName": stream, "Data": b"bytes", "PartitionKey": "k"}
    chunked = (
        b"\xbf"
        + cbor2.dumps("StreamName")
        + cbor2.dumps(stream)
        # Text and bytes in pieces of unknown number.
        + cbor2.dumps("Data")
        + b"\x5f"
        + cbor2.dumps(b"by")
        + cbor2.dumps(b"")
        + cbor2.dumps(b"tes")
        + b"\xff"
        + cbor2.dumps("PartitionKey")
        + b"\x7f"
        + cbor2.dumps("k")
        + b"\xff"
        + cbor2.dumps("Unknown")
        + b"\x9f\xf6\xf5\xfb\x40\x09\x21\xfb\x54\x44\x2d\x18\xff"
        + b"\xff"
    )
    for body in (cbor2.dumps(content), wire.jackson(content), chunked):
        answer = wire.call(collector, "PutRecord", body, kind=CBOR)
        assert answer.status == 200, answer
    # A null is as good as nothing.
    answer = wire.call(collector, "PutRecord", wire.jackson({**content, "ExplicitHashKey": None}), kind=CBOR)
    assert answer.status == 200
    assert [record["Data"] for record in aws.read_shard(kinesis, stream, SHARD)] == [b"bytes"] * 4

    keys = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "AT_TIMESTAMP"}
    millis = int(time.time() * 1000) - 60000
    for written in (Millis(millis), millis):
        answer = wire.call(collector, "GetShardIterator", {**keys, "Timestamp": written}, kind=CBOR)
        assert answer.status == 200, answer
        page = wire.call(collector, "GetRecords", {"ShardIterator": answer.content["ShardIterator"]}, kind=CBOR)
        assert len(page.content["Records"]) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"\xbf",
        b"\xa1\x61",
        b"\xff",
        b"\x80",
        b"\x01",
        b"\xbf\x61a\xff",
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x6aStreamName\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x9f" * 100_000,
        b"\xc1" * 100_000,
        b"\xa0\xa0",
        b"{}",
    ],
)
def test_a_body_that_is_no_cbor_map(collector, body):
    answer = wire.call(collector, "DescribeStream", body, kind=CBOR)
    assert (answer.status, answer.type, answer.error) == (400, CBOR, "SerializationException")


def test_types_and_constraints_are_those_of_json(collector):
    for kind in (JSON, CBOR):
        answer = checked(collector, "DescribeStream", {"StreamName": True}, kind)
        assert answer.error == "SerializationException"
        answer = checked(collector, "DescribeStream", {"StreamName": "s", "Limit": 0}, kind)
        expect_message({breaks(0, "limit", "Member must have value greater than or equal to 1")}, answer.message)


def test_an_operation_that_is_not_there_and_missing_authentication(collector):
    answer = wire.call(collector, "Nothing", {}, kind=CBOR)
    assert (answer.status, answer.type, answer.content) == (400, CBOR, {"__type": "UnknownOperationException"})
    answer = wire.send(collector, {"Content-Type": CBOR, "X-Amz-Target": "Kinesis_20131202.ListStreams"}, b"\xa0")
    assert (answer.status, answer.type) == (400, CBOR)
    assert answer.content == {
        "__type": "MissingAuthenticationTokenException",
        "message": "Missing Authentication Token",
    }
