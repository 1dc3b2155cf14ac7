"""The `aws` command line, unmodified, drives every operation of the collector.

Its version 1 takes blobs as they are, and shows them in base64."""

import json
import time

import aws
from programs import eventually

SHARD = "shardId-000000000000"


def test_kinesis_through_the_aws_cli(collector, tmp_path):
    def kinesis(*arguments):
        return aws.cli(collector, "kinesis", *arguments)

    def open_stream():
        summary = kinesis("describe-stream-summary", "--stream-name", "cli")["StreamDescriptionSummary"]
        return summary["StreamStatus"] == "ACTIVE" and summary

    assert kinesis("create-stream", "--stream-name", "cli", "--shard-count", 1) == {}
    assert eventually(open_stream, 20, what="ACTIVE")["OpenShardCount"] == 1
    assert kinesis("list-streams")["StreamNames"] == ["cli"]
    assert kinesis("describe-stream", "--stream-name", "cli")["StreamDescription"]["StreamName"] == "cli"

    put = kinesis("put-record", "--stream-name", "cli", "--partition-key", "k", "--data", "one")
    assert put["ShardId"] == SHARD and put["SequenceNumber"].startswith("49")
    records = [{"Data": text, "PartitionKey": "k"} for text in ("two", "three")]
    assert kinesis("put-records", "--stream-name", "cli", "--records", json.dumps(records))["FailedRecordCount"] == 0

    def read(kind, *more):
        arguments = ["--stream-name", "cli", "--shard-id", SHARD, "--shard-iterator-type", kind, *more]
        at = kinesis("get-shard-iterator", *arguments)["ShardIterator"]
        return [record["Data"] for record in kinesis("get-records", "--shard-iterator", at)["Records"]]

    number = put["SequenceNumber"]
    everything = [aws.encoded(text) for text in ("one", "two", "three")]
    assert read("TRIM_HORIZON") == everything
    assert read("LATEST") == []
    assert read("AT_SEQUENCE_NUMBER", "--starting-sequence-number", number) == everything
    assert read("AFTER_SEQUENCE_NUMBER", "--starting-sequence-number", number) == everything[1:]
    assert read("AT_TIMESTAMP", "--timestamp", str(int(time.time()) - 3600)) == everything

    kinesis("split-shard", "--stream-name", "cli", "--shard-to-split", SHARD, "--new-starting-hash-key", str(2**127))
    eventually(open_stream, 20, what="ACTIVE")
    shards = kinesis("list-shards", "--stream-name", "cli")["Shards"]
    assert [shard.get("ParentShardId") for shard in shards] == [None, SHARD, SHARD]
    one, two = shards[1]["ShardId"], shards[2]["ShardId"]
    kinesis("merge-shards", "--stream-name", "cli", "--shard-to-merge", one, "--adjacent-shard-to-merge", two)
    eventually(open_stream, 20, what="ACTIVE")
    assert kinesis("list-shards", "--stream-name", "cli")["Shards"][3]["AdjacentParentShardId"] == two

    kinesis("delete-stream", "--stream-name", "cli")
    eventually(lambda: kinesis("list-streams")["StreamNames"] == [], 20, what="the stream is gone")


def test_dynamodb_through_the_aws_cli(collector):
    def dynamodb(operation, *arguments):
        return aws.cli(collector, "dynamodb", operation, "--table-name", "app", *arguments)

    key = json.dumps({"leaseKey": {"S": "a"}})
    dynamodb(
        "create-table",
        *("--key-schema", "AttributeName=leaseKey,KeyType=HASH"),
        *("--attribute-definitions", "AttributeName=leaseKey,AttributeType=S"),
        *("--billing-mode", "PAY_PER_REQUEST"),
    )
    assert dynamodb("describe-table")["Table"]["TableStatus"] == "ACTIVE"
    dynamodb("put-item", "--item", json.dumps({"leaseKey": {"S": "a"}, "leaseCounter": {"N": "1"}}))
    dynamodb(
        "update-item",
        *("--key", key, "--update-expression", "SET leaseCounter = :n"),
        *("--condition-expression", "leaseCounter = :o"),
        *("--expression-attribute-values", json.dumps({":n": {"N": "2"}, ":o": {"N": "1"}})),
    )
    assert dynamodb("get-item", "--key", key)["Item"]["leaseCounter"] == {"N": "2"}
    assert dynamodb("scan")["Count"] == 1
    dynamodb("delete-item", "--key", key)
    assert dynamodb("scan")["Count"] == 0
    dynamodb("delete-table")
    refused = aws.cli(collector, "dynamodb", "scan", "--table-name", "app", check=False)
    assert refused.returncode != 0 and "ResourceNotFoundException" in refused.stderr


def test_firehose_through_the_aws_cli(collector):
    def firehose(operation, *arguments):
        return aws.cli(collector, "firehose", operation, *arguments)

    name = ("--delivery-stream-name", "cli")
    destination = json.dumps(aws.destination("cli/"))
    firehose("create-delivery-stream", *name, "--extended-s3-destination-configuration", destination)

    def active():
        answer = firehose("describe-delivery-stream", *name)["DeliveryStreamDescription"]
        return answer["DeliveryStreamStatus"] == "ACTIVE"

    eventually(active, 20, what="ACTIVE")
    assert firehose("list-delivery-streams")["DeliveryStreamNames"] == ["cli"]
    firehose("put-record", *name, "--record", json.dumps({"Data": "one\n"}))
    records = json.dumps([{"Data": "two\n"}, {"Data": "three\n"}])
    assert firehose("put-record-batch", *name, "--records", records)["FailedPutCount"] == 0
    eventually(lambda: sorted(aws.delivered_lines(collector)) == ["one", "three", "two"], 20, what="the files")
    firehose("delete-delivery-stream", *name)
    eventually(lambda: firehose("list-delivery-streams")["DeliveryStreamNames"] == [], 20, what="it is gone")
