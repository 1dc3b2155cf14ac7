"""Operations and members that came after botocore's model 1.43.11: sent by hand."""

import pytest

import aws
import wire
from checks import SHARD, breaks, expect_message
from programs import ACCOUNT, REGION


@pytest.fixture
def send(collector):
    def call(operation, **content):
        return wire.call(collector, operation, content)

    return call


def expect(answer, code):
    assert (answer.status, answer.error) == (400, code), answer
    return answer.message


# DryRun: the right to do it and the request are checked, and nothing is done.


def test_a_dry_run_says_what_would_have_been(send, kinesis, stream, consumer):
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    at = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(**at)["ShardIterator"]
    reader = consumer(stream, "reader")
    for operation, content in [
        ("PutRecord", {"StreamName": stream, "Data": "AAAA", "PartitionKey": "k"}),
        ("PutRecords", {"StreamName": stream, "Records": [{"Data": "AAAA", "PartitionKey": "k"}]}),
        ("GetShardIterator", at),
        ("GetRecords", {"ShardIterator": iterator}),
        ("SubscribeToShard", {"ConsumerARN": reader, "ShardId": SHARD, "StartingPosition": {"Type": "LATEST"}}),
    ]:
        message = expect(send(operation, **content, DryRun=True), "DryRunOperationException")
        assert "DryRun" in message, operation
        assert send(operation, **content, DryRun="yes").error == "SerializationException"
    assert len(aws.read_shard(kinesis, stream, SHARD)) == 1
    assert send("PutRecord", StreamName=stream, Data="AAAA", PartitionKey="k", DryRun=False).status == 200


def test_a_dry_run_of_a_bad_request_says_what_is_bad(send, stream):
    put = {"Data": "AAAA", "PartitionKey": "k", "DryRun": True}
    expect(send("PutRecord", **put, StreamName="nowhere"), "ResourceNotFoundException")
    expect(send("PutRecord", **{**put, "PartitionKey": ""}, StreamName=stream), "ValidationException")
    expect(send("PutRecord", **put, StreamName=stream, ExplicitHashKey=str(2**128)), "InvalidArgumentException")
    expect(send("GetRecords", ShardIterator="AAAA", DryRun=True), "InvalidArgumentException")
    at = {"ShardId": "9", "ShardIteratorType": "LATEST", "DryRun": True}
    expect(send("GetShardIterator", **at, StreamName=stream), "ResourceNotFoundException")


# Record distribution: AUTO ignores keys.


def test_an_on_demand_stream_may_distribute_records_by_itself(send, kinesis, streams):
    name = streams.name()
    demand = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    assert send("CreateStream", StreamName=name, **demand, RecordDistributionStrategy="AUTO").status == 200
    streams.active(name)
    summary = send("DescribeStreamSummary", StreamName=name).content["StreamDescriptionSummary"]
    assert summary["RecordDistributionStrategy"] == "AUTO"
    shards = set()
    for index in range(200):
        keys = {"PartitionKey": "same", "ExplicitHashKey": "0"} if index % 2 else {}
        answer = send("PutRecord", StreamName=name, Data="AAAA", **keys)
        assert answer.status == 200, answer
        shards.add(answer.content["ShardId"])
    batch = send("PutRecords", StreamName=name, Records=[{"Data": "AAAA"}] * 100)
    assert batch.status == 200 and batch.content["FailedRecordCount"] == 0
    shards |= {record["ShardId"] for record in batch.content["Records"]}
    assert len(shards) == 4
    count = sum(len(aws.read_shard(kinesis, name, shard)) for shard in shards)
    assert count == 300

    arn = streams.arn(name)
    change = "UpdateStreamRecordDistributionStrategy"
    assert send(change, StreamARN=arn, RecordDistributionStrategy="USER_PARTITION_KEY").status == 200
    streams.active(name)
    answer = send("PutRecord", StreamName=name, Data="AAAA")
    expect_message({breaks(None, "partitionKey", "Member must not be null")}, expect(answer, "ValidationException"))
    put = send("PutRecord", StreamName=name, Data="AAAA", PartitionKey="k", ExplicitHashKey="0")
    assert put.content["ShardId"] == SHARD
    summary = send("DescribeStreamSummary", StreamName=name).content["StreamDescriptionSummary"]
    assert summary["RecordDistributionStrategy"] == "USER_PARTITION_KEY"


def test_a_provisioned_stream_distributes_by_key(send, streams, stream):
    summary = send("DescribeStreamSummary", StreamName=stream).content["StreamDescriptionSummary"]
    assert summary.get("RecordDistributionStrategy", "USER_PARTITION_KEY") == "USER_PARTITION_KEY"
    change = "UpdateStreamRecordDistributionStrategy"
    expect(send(change, StreamARN=streams.arn(stream), RecordDistributionStrategy="AUTO"), "InvalidArgumentException")
    provisioned = {"ShardCount": 1, "RecordDistributionStrategy": "AUTO"}
    answer = send("CreateStream", StreamName=streams.name(), **provisioned)
    assert answer.status == 400 and answer.error in ("InvalidArgumentException", "ValidationException")
    expect(send(change, StreamARN=streams.arn(stream), RecordDistributionStrategy="X"), "ValidationException")
    nowhere = aws.stream_arn("nowhere")
    expect(
        send(change, StreamARN=nowhere, RecordDistributionStrategy="USER_PARTITION_KEY"), "ResourceNotFoundException"
    )


# Channels: an account that may have none.


def test_channels_are_answered_as_for_an_account_that_has_none(send, streams, stream):
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:channel/none"
    assert send("ListChannels").content == {"ChannelSummaries": []}
    for operation in ("DescribeChannel", "DeleteChannel", "UpdateChannel"):
        expect(send(operation, ChannelARN=arn), "ResourceNotFoundException")
        expect(send(operation), "ValidationException")
    owner = {"BucketARN": "arn:aws:s3:::bucket", "ExpectedBucketOwner": ACCOUNT}
    answer = send(
        "CreateChannel",
        ChannelName="c",
        ServiceExecutionRoleARN=f"arn:aws:iam::{ACCOUNT}:role/r",
        StreamConfigurationList=[
            {"StreamARN": streams.arn(stream), "RecordConfiguration": {"RecordFormatType": "JSON"}}
        ],
        S3DestinationConfiguration={"StorageConfiguration": {**owner, "CompressionType": "NONE"}},
    )
    assert answer.status == 400
    assert answer.error in ("LimitExceededException", "InvalidArgumentException", "AccessDeniedException")
    limits = send("DescribeLimits").content
    assert (limits["ChannelCount"], limits["ChannelCountLimit"]) == (0, 0)
    summary = send("DescribeStreamSummary", StreamName=stream).content["StreamDescriptionSummary"]
    assert summary["ChannelCount"] == 0


def test_a_stream_id_is_ignored(send, stream):
    identity = "abcdefghij0123456789-abc"
    assert send("DescribeStreamSummary", StreamName=stream, StreamId=identity).status == 200
    answer = send("DescribeStreamSummary", StreamName=stream, StreamId="no id")
    expect(answer, "ValidationException")
