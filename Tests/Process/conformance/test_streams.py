"""CreateStream, DeleteStream, DescribeStream, DescribeStreamSummary, ListStreams."""

import datetime
import re
import time

import pytest

import aws
from checks import MOST, hash_range, refused, shard_id, stream_missing
from programs import ACCOUNT, REGION, eventually


def test_creation_answers_at_once_and_the_stream_passes_through_creating(stage):
    collector = stage.collector(extra=["--limits", "none", "--transition-millis", "700"])
    kinesis = aws.client("kinesis", collector)
    kinesis.create_stream(StreamName="slow", ShardCount=2)
    description = kinesis.describe_stream(StreamName="slow")["StreamDescription"]
    assert description["StreamStatus"] == "CREATING"
    # Shards are hidden as long as there is no stream that would take records.
    assert description["Shards"] == [] and description["HasMoreShards"] is False
    assert kinesis.list_streams()["StreamSummaries"][0]["StreamStatus"] == "CREATING"
    refused(
        "ResourceNotFoundException",
        kinesis.put_record,
        stream_missing("slow"),
        StreamName="slow",
        Data=b"x",
        PartitionKey="k",
    )
    refused("ResourceInUseException", kinesis.list_shards, StreamName="slow")
    refused("ResourceInUseException", kinesis.create_stream, StreamName="slow", ShardCount=1)
    aws.wait_active(kinesis, "slow")

    kinesis.put_record(StreamName="slow", Data=b"x", PartitionKey="k")
    kinesis.split_shard(StreamName="slow", ShardToSplit="0", NewStartingHashKey="1000")
    summary = kinesis.describe_stream_summary(StreamName="slow")["StreamDescriptionSummary"]
    assert summary["StreamStatus"] == "UPDATING"
    words = f"Stream slow under account {ACCOUNT} not ACTIVE, instead in state UPDATING"
    again = {"StreamName": "slow", "ShardToSplit": "1", "NewStartingHashKey": str(2**127 + 2**126)}
    refused("ResourceInUseException", kinesis.split_shard, words, **again)
    for call, keys in [
        (kinesis.merge_shards, {"ShardToMerge": "0", "AdjacentShardToMerge": "1"}),
        (kinesis.update_shard_count, {"TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}),
        (kinesis.increase_stream_retention_period, {"RetentionPeriodHours": 48}),
        (kinesis.start_stream_encryption, {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}),
    ]:
        refused("ResourceInUseException", call, StreamName="slow", **keys)
    # Reads and writes go on.
    put = kinesis.put_record(StreamName="slow", Data=b"y", PartitionKey="k")
    assert [record["Data"] for record in aws.read_shard(kinesis, "slow", put["ShardId"])][-1] == b"y"
    assert len(kinesis.list_shards(StreamName="slow")["Shards"]) >= 2
    aws.wait_active(kinesis, "slow")

    kinesis.delete_stream(StreamName="slow")
    summary = kinesis.describe_stream_summary(StreamName="slow")["StreamDescriptionSummary"]
    assert summary["StreamStatus"] == "DELETING"
    refused("ResourceInUseException", kinesis.create_stream, StreamName="slow", ShardCount=1)
    eventually(lambda: not kinesis.list_streams()["StreamNames"], 10, 0.02, "it is gone")
    refused("ResourceNotFoundException", kinesis.describe_stream, stream_missing("slow"), StreamName="slow")


def test_a_stream_can_be_deleted_while_creating(stage):
    collector = stage.collector(extra=["--limits", "none", "--transition-millis", "400"])
    kinesis = aws.client("kinesis", collector)
    kinesis.create_stream(StreamName="short", ShardCount=1)
    kinesis.delete_stream(StreamName="short")
    eventually(lambda: not kinesis.list_streams()["StreamNames"], 10, 0.02, "it is gone")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_shards_divide_the_hash_keys_evenly(kinesis, streams, count):
    name = streams.create(count)
    shards = kinesis.describe_stream(StreamName=name)["StreamDescription"]["Shards"]
    width = 2**128 // count
    expected = [(i * width, (i + 1) * width - 1) for i in range(count - 1)] + [((count - 1) * width, MOST)]
    assert [hash_range(shard) for shard in shards] == expected
    assert [shard["ShardId"] for shard in shards] == [shard_id(index) for index in range(count)]


def test_a_description_says_everything(kinesis, streams):
    begun = datetime.datetime.now(datetime.UTC)
    name = streams.create(2, Tags={"team": "a b"}, MaxRecordSizeInKiB=2048)
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
    description = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    created = description["StreamCreationTimestamp"]
    assert abs((created - begun).total_seconds()) < 5
    del description["Shards"]
    assert description == {
        "StreamName": name,
        "StreamARN": arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "HasMoreShards": False,
        "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": created,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "NONE",
    }
    summary = kinesis.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["ConsumerCount"], summary["MaxRecordSizeInKiB"]) == (2, 0, 2048)
    shared = description.keys() - {"HasMoreShards"}
    assert {key: summary[key] for key in shared} == {key: description[key] for key in shared}
    # KCL 3.4 and later would send it back.
    assert "StreamId" not in summary
    tags = kinesis.list_tags_for_stream(StreamName=name)["Tags"]
    assert tags == [{"Key": "team", "Value": "a b"}]


def test_an_on_demand_stream_starts_with_four_shards(kinesis, streams):
    for keys in ({"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}, {}):
        name = streams.create(None, **keys)
        summary = streams.summary(name)
        assert (summary["OpenShardCount"], summary["StreamModeDetails"]) == (4, {"StreamMode": "ON_DEMAND"})
        shards = kinesis.list_shards(StreamName=name)["Shards"]
        assert [hash_range(shard)[0] for shard in shards] == [i * 2**126 for i in range(4)]


def test_creation_is_refused_for_a_taken_name_and_for_settings_that_do_not_fit(kinesis, unchecked, streams):
    name = streams.create()
    words = f"Stream {name} under account {ACCOUNT} already exists."
    refused("ResourceInUseException", kinesis.create_stream, words, StreamName=name, ShardCount=1)
    provisioned = {"StreamModeDetails": {"StreamMode": "PROVISIONED"}}
    codes = ("InvalidArgumentException", "ValidationException")
    message = refused(codes, kinesis.create_stream, StreamName=streams.name(), **provisioned)
    assert "shardcount" in message.lower().replace(" ", ""), message
    for size in (1023, 10241):
        refused("ValidationException", unchecked.create_stream, StreamName="x", ShardCount=1, MaxRecordSizeInKiB=size)


def test_a_stream_can_be_named_by_its_arn_everywhere(kinesis, streams):
    name = streams.create()
    arn = streams.arn(name)
    put = kinesis.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
    assert kinesis.put_records(StreamARN=arn, Records=[{"Data": b"y", "PartitionKey": "k"}])["FailedRecordCount"] == 0
    at = kinesis.get_shard_iterator(StreamARN=arn, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON")
    page = kinesis.get_records(StreamARN=arn, ShardIterator=at["ShardIterator"])
    assert [record["Data"] for record in page["Records"]] == [b"x", b"y"]
    other = streams.create()
    refused(
        "InvalidArgumentException",
        kinesis.get_records,
        StreamARN=streams.arn(other),
        ShardIterator=at["ShardIterator"],
    )
    assert len(kinesis.list_shards(StreamARN=arn)["Shards"]) == 1
    assert kinesis.describe_stream(StreamARN=arn)["StreamDescription"]["StreamName"] == name
    # Both are fine when they agree.
    assert kinesis.describe_stream(StreamARN=arn, StreamName=name)["StreamDescription"]["StreamName"] == name
    kinesis.add_tags_to_stream(StreamARN=arn, Tags={"a": "b"})
    assert kinesis.list_tags_for_stream(StreamARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    kinesis.split_shard(StreamARN=arn, ShardToSplit="0", NewStartingHashKey=str(2**127))
    streams.active(name)
    kinesis.delete_stream(StreamARN=arn)
    eventually(lambda: name not in kinesis.list_streams(Limit=10000)["StreamNames"], 10, 0.02, "it is gone")


def test_a_missing_stream_is_named_whether_by_name_or_arn(kinesis):
    arn = aws.stream_arn("nowhere")
    shard = {"ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"}
    for call, keys in [
        (kinesis.describe_stream, {}),
        (kinesis.describe_stream_summary, {}),
        (kinesis.delete_stream, {}),
        (kinesis.list_shards, {}),
        (kinesis.put_record, {"Data": b"", "PartitionKey": "k"}),
        (kinesis.put_records, {"Records": [{"Data": b"", "PartitionKey": "k"}]}),
        (kinesis.split_shard, {"ShardToSplit": "0", "NewStartingHashKey": "5"}),
        (kinesis.merge_shards, {"ShardToMerge": "0", "AdjacentShardToMerge": "1"}),
        (kinesis.update_shard_count, {"TargetShardCount": 1, "ScalingType": "UNIFORM_SCALING"}),
        (kinesis.add_tags_to_stream, {"Tags": {"a": "b"}}),
        (kinesis.remove_tags_from_stream, {"TagKeys": ["a"]}),
        (kinesis.list_tags_for_stream, {}),
        (kinesis.increase_stream_retention_period, {"RetentionPeriodHours": 48}),
        (kinesis.decrease_stream_retention_period, {"RetentionPeriodHours": 24}),
        (kinesis.start_stream_encryption, {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}),
        (kinesis.stop_stream_encryption, {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}),
        (kinesis.enable_enhanced_monitoring, {"ShardLevelMetrics": ["ALL"]}),
        (kinesis.disable_enhanced_monitoring, {"ShardLevelMetrics": ["ALL"]}),
    ]:
        for stream in ({"StreamName": "nowhere"}, {"StreamARN": arn}):
            refused("ResourceNotFoundException", call, stream_missing("nowhere"), **stream, **keys)
    # This one says shard.
    for stream in ({"StreamName": "nowhere"}, {"StreamARN": arn}):
        words = f"Shard {shard['ShardId']} in stream nowhere under account {ACCOUNT} does not exist"
        refused("ResourceNotFoundException", kinesis.get_shard_iterator, words, **stream, **shard)
    for call, keys in [
        (kinesis.update_stream_mode, {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}),
        (kinesis.update_max_record_size, {"MaxRecordSizeInKiB": 2048}),
        (kinesis.register_stream_consumer, {"ConsumerName": "c"}),
        (kinesis.list_stream_consumers, {}),
    ]:
        refused("ResourceNotFoundException", call, StreamARN=arn, **keys)


def test_neither_name_nor_arn_is_an_invalid_argument(unchecked):
    for call in (unchecked.describe_stream, unchecked.describe_stream_summary, unchecked.delete_stream):
        message = refused("InvalidArgumentException", call)
        assert re.search("(?i)streamarn", message) and re.search("(?i)streamname", message), message
    words = "Either NextToken or StreamName should be provided."
    refused("InvalidArgumentException", unchecked.list_shards, words)


def test_describe_stream_gives_at_most_a_hundred_shards_a_page(kinesis, streams):
    name = streams.create(120)
    seen, start, sizes = [], {}, []
    while True:
        page = kinesis.describe_stream(StreamName=name, Limit=10000, **start)["StreamDescription"]
        seen += [shard["ShardId"] for shard in page["Shards"]]
        sizes.append(len(page["Shards"]))
        if not page["HasMoreShards"]:
            break
        start = {"ExclusiveStartShardId": seen[-1]}
    assert seen == [shard_id(index) for index in range(120)] and sizes == [100, 20]
    page = kinesis.describe_stream(StreamName=name, Limit=7, ExclusiveStartShardId="shard-3")["StreamDescription"]
    assert [shard["ShardId"] for shard in page["Shards"]] == [shard_id(index) for index in range(4, 11)]
    assert page["HasMoreShards"] is True
    page = kinesis.describe_stream(StreamName=name, ExclusiveStartShardId=shard_id(119))["StreamDescription"]
    assert (page["Shards"], page["HasMoreShards"]) == ([], False)


def test_list_streams_pages_by_name_and_by_token(own_collector):
    kinesis = aws.client("kinesis", own_collector)
    names = sorted([f"s{index:03}" for index in range(104)] + ["A", "s.x", "s-y", "s_z"])
    for name in names:
        kinesis.create_stream(StreamName=name, ShardCount=1)
    first = kinesis.list_streams()
    assert (first["StreamNames"], first["HasMoreStreams"]) == (names[:100], True)
    assert kinesis.list_streams(ExclusiveStartStreamName=names[99])["StreamNames"] == names[100:]
    last = kinesis.list_streams(NextToken=first["NextToken"])
    assert (last["StreamNames"], last["HasMoreStreams"]) == (names[100:], False)
    assert not last.get("NextToken")
    seen, token = [], {}
    while True:
        page = kinesis.list_streams(Limit=40, **token)
        assert [summary["StreamName"] for summary in page["StreamSummaries"]] == page["StreamNames"]
        seen += page["StreamNames"]
        if not page["HasMoreStreams"]:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == names
    everything = kinesis.list_streams(Limit=10000)
    assert everything["StreamNames"] == names and everything["HasMoreStreams"] is False
    summary = everything["StreamSummaries"][0]
    assert summary["StreamARN"] == aws.stream_arn("A")
    assert summary["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert abs(summary["StreamCreationTimestamp"].timestamp() - time.time()) < 60
    # The start need not exist, and the end is empty.
    assert kinesis.list_streams(ExclusiveStartStreamName="s1")["StreamNames"][0] == "s100"
    assert kinesis.list_streams(ExclusiveStartStreamName="zzz")["StreamNames"] == []
    refused("InvalidArgumentException", kinesis.list_streams, NextToken="AAAA")


def test_regions_are_worlds_of_their_own(kinesis, collector, streams):
    name = streams.create()
    there = aws.client("kinesis", collector, region="eu-central-1")
    assert name not in there.list_streams(Limit=10000)["StreamNames"]
    refused("ResourceNotFoundException", there.describe_stream_summary, StreamName=name)
    there.create_stream(StreamName=name, ShardCount=2)
    aws.wait_active(there, name)
    summary = there.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    assert summary["StreamARN"] == f"arn:aws:kinesis:eu-central-1:{ACCOUNT}:stream/{name}"
    assert (summary["OpenShardCount"], streams.summary(name)["OpenShardCount"]) == (2, 1)
    there.delete_stream(StreamName=name)


def test_a_new_stream_of_an_old_name_shares_nothing_with_it(kinesis, streams, consumer):
    name = streams.create(2, Tags={"old": "yes"})
    put = kinesis.put_record(StreamName=name, Data=b"old", PartitionKey="k")
    at = kinesis.get_shard_iterator(StreamName=name, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON")
    consumer(name, "reader")
    before = streams.summary(name)
    message = refused("ResourceInUseException", kinesis.delete_stream, StreamName=name)
    assert "consumer" in message.lower()
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    eventually(lambda: name not in kinesis.list_streams(Limit=10000)["StreamNames"], 10, 0.02, "it is gone")
    kinesis.create_stream(StreamName=name, ShardCount=2)
    streams.active(name)
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == []
    assert kinesis.list_stream_consumers(StreamARN=before["StreamARN"])["Consumers"] == []
    assert aws.StreamReader(kinesis, name).read().texts == []
    assert streams.summary(name)["StreamCreationTimestamp"] > before["StreamCreationTimestamp"]
    # What was of the old stream is not of the new one.
    words = f"Shard {put['ShardId']} in stream {name} under account {ACCOUNT} does not exist"
    refused("ResourceNotFoundException", kinesis.get_records, words, ShardIterator=at["ShardIterator"])
    refused(
        "InvalidArgumentException",
        kinesis.get_shard_iterator,
        StreamName=name,
        ShardId=put["ShardId"],
        ShardIteratorType="AFTER_SEQUENCE_NUMBER",
        StartingSequenceNumber=put["SequenceNumber"],
    )


def test_everything_about_a_stream_is_there_after_sigkill(own_collector):
    kinesis = aws.client("kinesis", own_collector, attempts=3)
    kinesis.create_stream(StreamName="kept", ShardCount=1, Tags={"a": "b"})
    aws.wait_active(kinesis, "kept")
    arn = aws.stream_arn("kept")
    kinesis.increase_stream_retention_period(StreamName="kept", RetentionPeriodHours=100)
    aws.wait_active(kinesis, "kept")
    kinesis.enable_enhanced_monitoring(StreamName="kept", ShardLevelMetrics=["IncomingBytes"])
    aws.wait_active(kinesis, "kept")
    kinesis.put_resource_policy(ResourceARN=arn, Policy=policy(arn))
    kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=4096)
    aws.wait_active(kinesis, "kept")
    kinesis.start_stream_encryption(StreamName="kept", EncryptionType="KMS", KeyId="alias/mine")
    aws.wait_active(kinesis, "kept")
    # Killed in the middle of the change.
    kinesis.update_shard_count(StreamName="kept", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    own_collector.restart()
    kinesis = aws.client("kinesis", own_collector, attempts=3)
    aws.wait_active(kinesis, "kept")
    summary = kinesis.describe_stream_summary(StreamName="kept")["StreamDescriptionSummary"]
    assert (summary["RetentionPeriodHours"], summary["MaxRecordSizeInKiB"]) == (100, 4096)
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", "alias/mine")
    assert summary["EnhancedMonitoring"] == [{"ShardLevelMetrics": ["IncomingBytes"]}]
    assert (summary["OpenShardCount"], summary["ConsumerCount"]) == (2, 1)
    assert kinesis.list_tags_for_stream(StreamName="kept")["Tags"] == [{"Key": "a", "Value": "b"}]
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == policy(arn)

    def active():
        consumers = kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]
        return [consumer["ConsumerStatus"] for consumer in consumers] == ["ACTIVE"]

    eventually(active, 10, 0.02, "the consumer is ACTIVE")


def policy(arn):
    statement = '{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kinesis:GetRecords","Resource":"%s"}' % arn
    return '{"Version":"2012-10-17", "Statement":[%s]}' % statement
