"""Retention, encryption, enhanced monitoring, stream mode, warm throughput, record size."""

import pytest

import aws
from checks import at_least, at_most, breaks, refused
from conftest import KEY_ID
from programs import ACCOUNT

METRICS = {
    "IncomingBytes",
    "IncomingRecords",
    "IteratorAgeMilliseconds",
    "OutgoingBytes",
    "OutgoingRecords",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
}
ARN_START = f"arn:aws:kms:us-east-1:{ACCOUNT}"


def test_retention_goes_up_and_down(kinesis, streams, stream):
    for call, hours in [
        (kinesis.increase_stream_retention_period, 30),
        (kinesis.increase_stream_retention_period, 8760),
        (kinesis.decrease_stream_retention_period, 24),
    ]:
        call(StreamName=stream, RetentionPeriodHours=hours)
        streams.active(stream)
        assert streams.summary(stream)["RetentionPeriodHours"] == hours
        assert kinesis.describe_stream(StreamName=stream)["StreamDescription"]["RetentionPeriodHours"] == hours


def test_retention_is_refused_in_awss_words(kinesis, streams, stream):
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=30)
    streams.active(stream)
    up, down = kinesis.increase_stream_retention_period, kinesis.decrease_stream_retention_period
    low = "Minimum allowed retention period is 24 hours. Requested retention period (20 hours) is too short."
    high = "Maximum allowed retention period is 8760 hours. Requested retention period (9999 hours) is too long."
    for call in (up, down):
        refused("InvalidArgumentException", call, low, StreamName=stream, RetentionPeriodHours=20)
        refused("InvalidArgumentException", call, high, StreamName=stream, RetentionPeriodHours=9999)
    shorter = (
        f"Requested retention period (25 hours) for stream {stream} can not be shorter than existing retention period "
        "(30 hours). Use DecreaseRetentionPeriod API."
    )
    refused("InvalidArgumentException", up, shorter, StreamName=stream, RetentionPeriodHours=25)
    longer = (
        f"Requested retention period (31 hours) for stream {stream} can not be longer than existing retention period "
        "(30 hours). Use IncreaseRetentionPeriod API."
    )
    refused("InvalidArgumentException", down, longer, StreamName=stream, RetentionPeriodHours=31)
    assert streams.summary(stream)["RetentionPeriodHours"] == 30


@pytest.mark.parametrize(
    "key", ["alias/aws/kinesis", "alias/mine", KEY_ID, f"{ARN_START}:key/{KEY_ID}", f"{ARN_START}:alias/mine"]
)
def test_encryption_is_started_and_stopped(kinesis, streams, stream, key):
    before = kinesis.put_record(StreamName=stream, Data=b"plain", PartitionKey="k")
    assert before.get("EncryptionType", "NONE") == "NONE"
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    streams.active(stream)
    for description in (streams.summary(stream), kinesis.describe_stream(StreamName=stream)["StreamDescription"]):
        assert (description["EncryptionType"], description["KeyId"]) == ("KMS", key)
    assert kinesis.put_record(StreamName=stream, Data=b"secret", PartitionKey="k")["EncryptionType"] == "KMS"
    batch = kinesis.put_records(StreamName=stream, Records=[{"Data": b"batch", "PartitionKey": "k"}])
    assert batch["EncryptionType"] == "KMS"
    records = aws.read_shard(kinesis, stream, before["ShardId"])
    assert [record["Data"] for record in records] == [b"plain", b"secret", b"batch"]
    assert [record.get("EncryptionType", "NONE") for record in records] == ["NONE", "KMS", "KMS"]

    kinesis.stop_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    streams.active(stream)
    summary = streams.summary(stream)
    assert summary["EncryptionType"] == "NONE" and "KeyId" not in summary
    assert kinesis.put_record(StreamName=stream, Data=b"open", PartitionKey="k").get("EncryptionType", "NONE") == "NONE"
    records = aws.read_shard(kinesis, stream, before["ShardId"])
    assert [record["Data"] for record in records] == [b"plain", b"secret", b"batch", b"open"]


def test_encryption_is_refused_with_a_key_that_is_not_there_or_disabled(kinesis, streams, stream):
    start = kinesis.start_stream_encryption
    for key in ("alias/nobody", "11111111-2222-3333-4444-555555555555"):
        refused("KMSNotFoundException", start, StreamName=stream, EncryptionType="KMS", KeyId=key)
    refused("KMSDisabledException", start, StreamName=stream, EncryptionType="KMS", KeyId="alias/gone")
    assert streams.summary(stream)["EncryptionType"] == "NONE"


def test_encryption_is_refused_for_a_strange_key_and_type(kinesis, stream):
    for key in ("not a key", "alias", KEY_ID[:-1], "arn:aws:s3:::bucket"):
        refused(
            "InvalidArgumentException",
            kinesis.start_stream_encryption,
            StreamName=stream,
            EncryptionType="KMS",
            KeyId=key,
        )
    refused(
        "InvalidArgumentException",
        kinesis.start_stream_encryption,
        StreamName=stream,
        EncryptionType="NONE",
        KeyId="alias/aws/kinesis",
    )


def test_enhanced_monitoring_tells_what_was_and_what_will_be(kinesis, streams, stream):
    def change(call, *metrics):
        answer = call(StreamName=stream, ShardLevelMetrics=list(metrics))
        assert (answer["StreamName"], answer["StreamARN"]) == (stream, streams.arn(stream))
        streams.active(stream)
        desired = set(answer["DesiredShardLevelMetrics"])
        assert [set(levels["ShardLevelMetrics"]) for levels in streams.summary(stream)["EnhancedMonitoring"]] == [
            desired
        ]
        return set(answer["CurrentShardLevelMetrics"]), desired

    on, off = kinesis.enable_enhanced_monitoring, kinesis.disable_enhanced_monitoring
    two = {"IncomingBytes", "OutgoingBytes"}
    assert change(on, *two) == (set(), two)
    assert change(on, "IncomingBytes") == (two, two)
    assert change(on, "ALL") == (two, METRICS)
    assert change(off, "IncomingBytes", "IncomingRecords") == (METRICS, METRICS - {"IncomingBytes", "IncomingRecords"})
    assert change(off, "ALL") == (METRICS - {"IncomingBytes", "IncomingRecords"}, set())
    assert change(off, "ALL") == (set(), set())


def test_enhanced_monitoring_constraints(unchecked, stream):
    for call in (unchecked.enable_enhanced_monitoring, unchecked.disable_enhanced_monitoring):
        refused("ValidationException", call, StreamName=stream, ShardLevelMetrics=[])
        refused("ValidationException", call, StreamName=stream, ShardLevelMetrics=["Nothing"])
        refused("ValidationException", call, StreamName=stream)


def test_the_mode_is_switched_and_keeps_the_shards(kinesis, streams):
    name = streams.create(3)
    arn = streams.arn(name)

    def switch(mode):
        kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": mode})
        streams.active(name)
        summary = streams.summary(name)
        assert (summary["StreamModeDetails"], summary["OpenShardCount"]) == ({"StreamMode": mode}, 3)

    put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k")
    switch("ON_DEMAND")
    words = f"Request is invalid. Stream {name} under account {ACCOUNT} is in On-Demand mode."
    scale = {"StreamName": name, "TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"}
    refused("ValidationException", kinesis.update_shard_count, words, **scale)
    split = {"StreamName": name, "ShardToSplit": "0", "NewStartingHashKey": "1000"}
    refused("ValidationException", kinesis.split_shard, **split)
    merge = {"StreamName": name, "ShardToMerge": "0", "AdjacentShardToMerge": "1"}
    refused("ValidationException", kinesis.merge_shards, **merge)
    assert aws.read_shard(kinesis, name, put["ShardId"])[0]["Data"] == b"x"
    switch("PROVISIONED")
    streams.split(name, "0", 1000)


def test_the_record_size_is_raised_and_holds(kinesis, unchecked, streams, stream):
    arn = streams.arn(stream)
    assert streams.summary(stream)["MaxRecordSizeInKiB"] == 1024
    big = b"x" * (1024 * 1024)
    codes = ("InvalidArgumentException", "ValidationException")
    refused(codes, kinesis.put_record, StreamName=stream, Data=big, PartitionKey="k")
    kinesis.put_record(StreamName=stream, Data=big[:-1], PartitionKey="k")
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=10240)
    streams.active(stream)
    assert streams.summary(stream)["MaxRecordSizeInKiB"] == 10240
    largest = bytes(range(256)) * (40 * 1024)
    put = kinesis.put_record(StreamName=stream, Data=largest[:-1], PartitionKey="k")
    position = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": put["SequenceNumber"]}
    at = kinesis.get_shard_iterator(StreamName=stream, ShardId=put["ShardId"], **position)["ShardIterator"]
    assert kinesis.get_records(ShardIterator=at)["Records"][0]["Data"] == largest[:-1]
    refused(codes, kinesis.put_record, StreamName=stream, Data=largest, PartitionKey="k")
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=1024)
    streams.active(stream)
    refused(codes, kinesis.put_record, StreamName=stream, Data=big, PartitionKey="k")
    for size, constraint in [(1023, at_least(1024)), (10241, at_most(10240))]:
        words = {breaks(size, "maxRecordSizeInKiB", constraint)}
        refused("ValidationException", unchecked.update_max_record_size, words, StreamARN=arn, MaxRecordSizeInKiB=size)


def test_warm_throughput_needs_an_on_demand_stream_and_the_accounts_commitment(own_collector):
    kinesis = aws.client("kinesis", own_collector)
    kinesis.create_stream(StreamName="provisioned", ShardCount=1)
    kinesis.create_stream(StreamName="demand", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    for name in ("provisioned", "demand"):
        aws.wait_active(kinesis, name)
    arn = aws.stream_arn("demand")
    codes = ("InvalidArgumentException", "ValidationException")
    refused(codes, kinesis.update_stream_warm_throughput, StreamARN=arn, WarmThroughputMiBps=10)
    commitment = {"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}}
    assert kinesis.update_account_settings(**commitment)["MinimumThroughputBillingCommitment"]["Status"] == "ENABLED"
    answer = kinesis.update_stream_warm_throughput(StreamARN=arn, WarmThroughputMiBps=10)
    assert (answer["StreamName"], answer["StreamARN"]) == ("demand", arn)
    assert answer["WarmThroughput"]["TargetMiBps"] == 10
    aws.wait_active(kinesis, "demand")
    summary = kinesis.describe_stream_summary(StreamName="demand")["StreamDescriptionSummary"]
    assert summary["WarmThroughput"] == {"TargetMiBps": 10, "CurrentMiBps": 10}
    provisioned = aws.stream_arn("provisioned")
    refused(codes, kinesis.update_stream_warm_throughput, StreamARN=provisioned, WarmThroughputMiBps=10)
    missing = aws.stream_arn("missing")
    refused(
        "ResourceNotFoundException", kinesis.update_stream_warm_throughput, StreamARN=missing, WarmThroughputMiBps=10
    )


def test_account_settings_and_limits(own_collector):
    kinesis = aws.client("kinesis", own_collector)
    assert kinesis.describe_account_settings()["MinimumThroughputBillingCommitment"]["Status"] == "DISABLED"
    answer = kinesis.update_account_settings(MinimumThroughputBillingCommitment={"Status": "ENABLED"})
    assert answer["MinimumThroughputBillingCommitment"]["Status"] == "ENABLED"
    described = kinesis.describe_account_settings()["MinimumThroughputBillingCommitment"]
    assert described["Status"] == "ENABLED" and "StartedAt" in described

    limits = kinesis.describe_limits()
    assert (limits["OpenShardCount"], limits["OnDemandStreamCount"], limits["OnDemandStreamCountLimit"]) == (0, 0, 50)
    assert limits["ShardLimit"] == 20000
    kinesis.create_stream(StreamName="p", ShardCount=3)
    kinesis.create_stream(StreamName="d", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    for name in ("p", "d"):
        aws.wait_active(kinesis, name)
    limits = kinesis.describe_limits()
    # The open shards of provisioned streams alone.
    assert (limits["OpenShardCount"], limits["OnDemandStreamCount"]) == (3, 1)
