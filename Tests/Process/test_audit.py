"""Control calls leave a trail as CloudTrail writes it; calls that carry records leave none."""

import json

import botocore.exceptions
import pytest

import aws
from programs import eventually


def trail(collector):
    file = collector.data / "audit" / "audit.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_control_calls_are_written_down_with_caller_request_and_outcome(stage):
    collector = stage.collector()
    kinesis = aws.client("kinesis", collector)
    kinesis.create_stream(StreamName="s", ShardCount=2, Tags={"Team": "A"})
    aws.wait_active(kinesis, "s")
    kinesis.put_record(StreamName="s", Data=b"a secret payload", PartitionKey="k")
    with pytest.raises(botocore.exceptions.ClientError):
        kinesis.delete_stream(StreamName="nothing")
    events = eventually(
        lambda: (found := trail(collector)) and found[-1]["eventName"] == "DeleteStream" and found,
        what="the refusal is written down",
    )
    created = events[0]
    assert created["eventName"] == "CreateStream" and created["eventSource"] == "kinesis.amazonaws.com"
    assert created["requestParameters"] == {"streamName": "s", "shardCount": 2, "tags": {"Team": "A"}}
    assert created["userIdentity"]["accessKeyId"] == collector.credentials[0]
    assert created["sourceIPAddress"] == "127.0.0.1" and "Boto3" in created["userAgent"]
    assert created["readOnly"] is False and created["responseElements"] is None
    assert events[-1]["errorCode"] == "ResourceNotFoundException"
    assert "PutRecord" not in {event["eventName"] for event in events}
    text = (collector.data / "audit" / "audit.jsonl").read_text()
    assert collector.credentials[1] not in text and "payload" not in text


def test_answers_of_changes_are_written_down_and_the_trail_goes_on_after_a_kill(stage):
    collector = stage.collector()
    kinesis = aws.client("kinesis", collector)
    aws.create_stream(kinesis, "s")
    consumer = kinesis.register_stream_consumer(StreamARN=aws.stream_arn("s"), ConsumerName="c")["Consumer"]
    eventually(lambda: trail(collector)[-1]["eventName"] == "RegisterStreamConsumer", what="the change is written")
    before = trail(collector)
    assert before[-1]["responseElements"]["consumer"]["consumerARN"] == consumer["ConsumerARN"]
    collector.kill9()
    collector.start()
    aws.client("kinesis", collector).list_streams()
    eventually(lambda: trail(collector)[-1]["eventName"] == "ListStreams", what="the trail goes on")
    assert trail(collector)[: len(before)] == before


def test_a_trail_that_is_not_wanted_is_not_kept(stage):
    collector = stage.collector(extra=["--audit-log", "none"])
    aws.client("kinesis", collector).list_streams()
    assert not (collector.data / "audit").exists()
