"""The `aws` command line (version 1), unmodified, through every operation it has. It has no subscribe-to-shard."""

import json
import os
import pathlib
import subprocess
import sys

import botocore
import pytest

import aws
from checks import MIDDLE, SHARD, shard_id
from programs import eventually
from shapes import MODEL


@pytest.fixture
def cli(own_collector):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    process = subprocess.Popen(
        [sys.executable, pathlib.Path(__file__).with_name("cli_batch.py")],
        env={**environment, **own_collector.aws_environment, "AWS_MAX_ATTEMPTS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    used = set()

    def run(operation, *arguments, fails=None):
        used.add(operation)
        words = ["--output", "json", "kinesis", operation, *map(str, arguments)]
        process.stdin.write(json.dumps(words) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if fails:
            assert answer["code"] != 0 and f"({fails})" in answer["err"], answer
            return None
        assert answer["code"] == 0, (operation, answer)
        return json.loads(answer["out"]) if answer["out"].strip() else {}

    run.used = used
    yield run
    process.stdin.close()
    process.wait(10)


def test_every_operation(cli):
    name = ("--stream-name", "cli")
    arn = aws.stream_arn("cli")
    by_arn = ("--stream-arn", arn)
    resource = ("--resource-arn", arn)

    def active():
        summary = cli("describe-stream-summary", *name)["StreamDescriptionSummary"]
        return summary["StreamStatus"] == "ACTIVE" and summary

    def settled():
        return eventually(active, 10, 0.01, "the stream is ACTIVE")

    cli("create-stream", *name, "--shard-count", 1, "--tags", "born=with")
    settled()
    cli("create-stream", *name, "--shard-count", 1, fails="ResourceInUseException")
    assert cli("list-streams")["StreamNames"] == ["cli"]
    assert cli("describe-stream", *name)["StreamDescription"]["StreamARN"] == arn
    assert cli("describe-limits")["OpenShardCount"] == 1

    cli("add-tags-to-stream", *name, "--tags", "a=1,b=2")
    cli("tag-resource", *resource, "--tags", "c=3")
    cli("remove-tags-from-stream", *name, "--tag-keys", "a")
    cli("untag-resource", *resource, "--tag-keys", "b")
    assert [tag["Key"] for tag in cli("list-tags-for-stream", *name)["Tags"]] == ["born", "c"]
    assert [tag["Key"] for tag in cli("list-tags-for-resource", *resource)["Tags"]] == ["born", "c"]

    put = cli("put-record", *name, "--partition-key", "k", "--data", "one")
    records = json.dumps([{"Data": "two", "PartitionKey": "k"}])
    assert cli("put-records", *name, "--records", records)["FailedRecordCount"] == 0
    shard = ("--shard-id", SHARD, "--shard-iterator-type")
    at = cli("get-shard-iterator", *name, *shard, "TRIM_HORIZON")["ShardIterator"]
    # As people paste it, with its quotes.
    for iterator in (at, f'"{at}"'):
        answer = cli("get-records", "--shard-iterator", iterator)
        assert [record["Data"] for record in answer["Records"]] == [aws.encoded("one"), aws.encoded("two")]
    after = ("--starting-sequence-number", put["SequenceNumber"])
    at = cli("get-shard-iterator", *name, *shard, "AFTER_SEQUENCE_NUMBER", *after)["ShardIterator"]
    assert len(cli("get-records", "--shard-iterator", at)["Records"]) == 1
    cli("get-records", "--shard-iterator", "AAAA", fails="InvalidArgumentException")

    cli("increase-stream-retention-period", *name, "--retention-period-hours", 48)
    assert settled()["RetentionPeriodHours"] == 48
    cli("decrease-stream-retention-period", *name, "--retention-period-hours", 24)
    settled()
    key = ("--encryption-type", "KMS", "--key-id", "alias/aws/kinesis")
    cli("start-stream-encryption", *name, *key)
    assert settled()["EncryptionType"] == "KMS"
    cli("stop-stream-encryption", *name, *key)
    settled()
    assert (
        len(cli("enable-enhanced-monitoring", *name, "--shard-level-metrics", "ALL")["DesiredShardLevelMetrics"]) == 7
    )
    settled()
    assert cli("disable-enhanced-monitoring", *name, "--shard-level-metrics", "ALL")["DesiredShardLevelMetrics"] == []
    settled()
    cli("update-max-record-size", *by_arn, "--max-record-size-in-ki-b", 2048)
    assert settled()["MaxRecordSizeInKiB"] == 2048

    cli("split-shard", *name, "--shard-to-split", SHARD, "--new-starting-hash-key", MIDDLE)
    settled()
    cli("merge-shards", *name, "--shard-to-merge", shard_id(1), "--adjacent-shard-to-merge", shard_id(2))
    settled()
    scale = ("--target-shard-count", 2, "--scaling-type", "UNIFORM_SCALING")
    assert cli("update-shard-count", *name, *scale)["CurrentShardCount"] == 1
    assert settled()["OpenShardCount"] == 2
    assert len(cli("list-shards", *name)["Shards"]) == 6
    assert len(cli("list-shards", *name, "--shard-filter", "Type=AT_LATEST")["Shards"]) == 2

    reader = cli("register-stream-consumer", *by_arn, "--consumer-name", "reader")["Consumer"]["ConsumerARN"]
    described = cli("describe-stream-consumer", "--consumer-arn", reader)["ConsumerDescription"]
    assert described["StreamARN"] == arn
    assert len(cli("list-stream-consumers", *by_arn)["Consumers"]) == 1
    cli("delete-stream", *name, fails="ResourceInUseException")
    cli("deregister-stream-consumer", "--consumer-arn", reader)

    statement = {"Effect": "Allow", "Principal": "*", "Action": "kinesis:GetRecords", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cli("put-resource-policy", *resource, "--policy", policy)
    assert json.loads(cli("get-resource-policy", *resource)["Policy"]) == json.loads(policy)
    cli("delete-resource-policy", *resource)

    cli("update-stream-mode", *by_arn, "--stream-mode-details", "StreamMode=ON_DEMAND")
    assert settled()["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    commitment = ("--minimum-throughput-billing-commitment", "Status=ENABLED")
    cli("update-account-settings", *commitment)
    settings = cli("describe-account-settings")["MinimumThroughputBillingCommitment"]
    assert settings["Status"] == "ENABLED"
    cli("update-stream-warm-throughput", *by_arn, "--warm-throughput-mi-bps", 5)
    assert settled()["WarmThroughput"]["TargetMiBps"] == 5
    cli("delete-stream", *name, "--enforce-consumer-deletion")
    eventually(lambda: cli("list-streams")["StreamNames"] == [], 10, 0.01, "the stream is gone")

    every = {botocore.xform_name(operation, "-") for operation in MODEL.operation_names}
    assert every - cli.used == {"subscribe-to-shard"}
