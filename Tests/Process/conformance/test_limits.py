"""AWS's limits as they are on by default; and `limits: none`, which has none of them."""

import re
import time

import pytest

import aws
from checks import SHARD, refused
from conftest import watched
from programs import ACCOUNT, Collector


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    collector = Collector(tmp_path_factory.mktemp("limited"), extra=["--transition-millis", "20"]).start()
    yield collector
    collector.kill9()


@pytest.fixture
def client(limited):
    """Tries once, so that a refusal is seen."""
    return watched(limited)


@pytest.fixture
def patient(limited):
    """Tries again when a limit refuses."""
    return aws.client("kinesis", limited, attempts=10)


@pytest.fixture
def name(patient):
    """A new stream of one shard."""
    name = f"limited-{time.time_ns()}"
    patient.create_stream(StreamName=name, ShardCount=1)
    aws.wait_active(patient, name)
    return name


THROTTLED = re.compile(
    r"Rate exceeded for (shard shardId-000000000000 in stream \S+ under account 000000000000\."
    r"|Shard - 000000000000/\S+/shardId-000000000000)"
)


def test_a_shard_takes_1_mib_a_second(client, name):
    half = b"x" * 520_000
    keys = {"StreamName": name, "Data": half, "PartitionKey": "k"}
    taken = 0
    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException) as error:
        for _ in range(8):
            client.put_record(**keys)
            taken += 1
    assert 2 <= taken <= 4
    assert THROTTLED.fullmatch(error.value.response["Error"]["Message"]), error.value
    time.sleep(1.1)
    client.put_record(**keys)


def test_a_shard_takes_1000_records_a_second_and_batches_fail_in_part(client, name):
    entries = [{"Data": b"%d" % index, "PartitionKey": "k"} for index in range(500)]
    answers = [client.put_records(StreamName=name, Records=entries) for _ in range(4)]
    failed = sum(answer["FailedRecordCount"] for answer in answers)
    assert 500 <= failed <= 1000
    refusals = [record for answer in answers for record in answer["Records"] if "ErrorCode" in record]
    assert len(refusals) == failed
    for record in refusals:
        assert record["ErrorCode"] == "ProvisionedThroughputExceededException"
        assert THROTTLED.fullmatch(record["ErrorMessage"]), record
        assert "SequenceNumber" not in record and "ShardId" not in record
    assert len(aws.read_shard(client, name, SHARD)) == 2000 - failed


def test_a_shard_is_read_five_times_a_second(client, name):
    at = client.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="LATEST")["ShardIterator"]
    for _ in range(5):
        client.get_records(ShardIterator=at)
    refused("ProvisionedThroughputExceededException", client.get_records, THROTTLED, ShardIterator=at)
    time.sleep(1.1)
    client.get_records(ShardIterator=at)


def test_control_calls_are_limited_per_second(client):
    def burst(call, **keys):
        for _ in range(30):
            try:
                call(**keys)
            except client.exceptions.LimitExceededException as error:
                return error.response["Error"]["Message"]
        return None

    for call in (client.list_streams, client.describe_limits, client.describe_account_settings):
        message = burst(call)
        assert message and message.startswith("Rate exceeded"), (call.__name__, message)


def test_scaling_is_refused_beyond_double_and_half(client, patient, name):
    codes = ("InvalidArgumentException", "LimitExceededException")
    scale = {"StreamName": name, "ScalingType": "UNIFORM_SCALING"}
    refused(codes, client.update_shard_count, TargetShardCount=3, **scale)
    for target in (2, 4):
        patient.update_shard_count(TargetShardCount=target, **scale)
        aws.wait_active(patient, name)
    refused(codes, client.update_shard_count, TargetShardCount=1, **scale)
    assert patient.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["OpenShardCount"] == 4


def test_scaling_is_done_ten_times_a_day(client, patient, name):
    for index in range(10):
        target = 2 if index % 2 == 0 else 1
        patient.update_shard_count(StreamName=name, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        aws.wait_active(patient, name)
    time.sleep(1)
    scale = {"StreamName": name, "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}
    refused("LimitExceededException", client.update_shard_count, **scale)


def test_the_mode_is_switched_at_most_twice_a_day(client, patient, name):
    arn = aws.stream_arn(name)
    for mode in ("ON_DEMAND", "PROVISIONED"):
        patient.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": mode})
        aws.wait_active(patient, name)
    time.sleep(1)
    mode = {"StreamMode": "ON_DEMAND"}
    refused("LimitExceededException", client.update_stream_mode, StreamARN=arn, StreamModeDetails=mode)


def test_a_stream_has_at_most_twenty_consumers(client, patient, name):
    arn = aws.stream_arn(name)
    for index in range(20):
        patient.register_stream_consumer(StreamARN=arn, ConsumerName=f"c{index}")
    time.sleep(1)
    call = client.register_stream_consumer
    message = refused("LimitExceededException", call, StreamARN=arn, ConsumerName="one-more")
    assert not message.startswith("Rate exceeded")


def test_the_accounts_shards_are_limited(limited):
    """In most regions to fewer than a stream could have."""
    client = watched(limited, region="eu-north-1")
    message = refused("LimitExceededException", client.create_stream, StreamName="huge", ShardCount=6001)
    pattern = re.compile(
        rf"This request would exceed the shard limit for the account {ACCOUNT} in eu-north-1\. Current shard count for "
        r"the account: 0\. Limit: (1000|6000)\. Number of additional shards that would have resulted from this "
        r"request: 6001\. Refer to the AWS Service Limits page "
        r"\(http://docs\.aws\.amazon\.com/general/latest/gr/aws_service_limits\.html\) for current limits and how to "
        r"request higher limits\."
    )
    assert pattern.fullmatch(message), message


def test_five_streams_may_be_in_creation(stage):
    collector = stage.collector(extra=["--limits", "aws", "--transition-millis", "3000"])
    kinesis = watched(collector)
    for index in range(5):
        kinesis.create_stream(StreamName=f"s{index}", ShardCount=1)
        time.sleep(0.21)
    refused("LimitExceededException", kinesis.create_stream, StreamName="one-more", ShardCount=1)


def test_without_limits_there_are_none(collector, stream):
    kinesis = watched(collector)
    entries = [{"Data": b"x" * 1000, "PartitionKey": "k"}] * 500
    for _ in range(6):
        assert kinesis.put_records(StreamName=stream, Records=entries)["FailedRecordCount"] == 0
    at = kinesis.get_shard_iterator(StreamName=stream, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    for _ in range(20):
        kinesis.get_records(ShardIterator=at, Limit=2000)
        kinesis.list_streams(Limit=1)
        kinesis.describe_limits()
