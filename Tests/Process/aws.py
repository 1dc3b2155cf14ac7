"""Unmodified AWS clients against a collector, and what the tests read through them."""

import base64
import collections
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import boto3
import botocore.config

from programs import ACCOUNT, REGION, eventually


def client(service, collector, attempts=1, credentials=None, validate=True, region=REGION, read_timeout=20):
    """A boto3 client with exactly `attempts` attempts a call. Credentials are (key id, secret) and perhaps a session token."""
    key, secret, *token = credentials or collector.credentials
    return boto3.client(
        service,
        endpoint_url=collector.url,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token[0] if token else None,
        verify=getattr(collector, "certificate", None),
        config=botocore.config.Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            connect_timeout=3,
            read_timeout=read_timeout,
            parameter_validation=validate,
            max_pool_connections=20,
        ),
    )


def cli(collector, *arguments, check=True):
    """`aws ARGUMENTS`, its JSON answer parsed; {} when it printed none. Without `check` the CompletedProcess."""
    aws = pathlib.Path(sys.executable).parent / "aws"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    result = subprocess.run(
        [str(aws) if aws.exists() else "aws", "--output", "json", *[str(argument) for argument in arguments]],
        env={**environment, **collector.aws_environment, "AWS_MAX_ATTEMPTS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if not check:
        return result
    assert result.returncode == 0, f"aws {arguments}: {result.returncode}\n{result.stderr}"
    return json.loads(result.stdout) if result.stdout.strip() else {}


def stream_arn(name):
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


def create_stream(kinesis, name, shards=1):
    """Creates the stream and waits until it is ACTIVE."""
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    wait_active(kinesis, name)


def delete_stream(kinesis, name):
    """Deletes the stream and waits until its name is free."""
    kinesis.delete_stream(StreamName=name)

    def gone():
        try:
            kinesis.describe_stream_summary(StreamName=name)
        except kinesis.exceptions.ResourceNotFoundException:
            return True

    eventually(gone, 20, 0.01, f"stream {name} is gone")


def wait_active(kinesis, name):
    def active():
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return summary["StreamStatus"] == "ACTIVE"

    eventually(active, 20, what=f"stream {name} is ACTIVE")


def list_shards(kinesis, name):
    shards, token = [], None
    while True:
        answer = kinesis.list_shards(NextToken=token) if token else kinesis.list_shards(StreamName=name)
        shards += answer["Shards"]
        token = answer.get("NextToken")
        if not token:
            return shards


def read_shard(kinesis, name, shard, start=None):
    """Every record of one shard, from its beginning or after the sequence number `start`, up to now."""
    position = {"ShardIteratorType": "TRIM_HORIZON"}
    if start:
        position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": start}
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, **position)["ShardIterator"]
    records = []
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator)
        records += answer["Records"]
        iterator = answer.get("NextShardIterator")
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            break
    return records


class StreamReader:
    """Reads a stream on and on; keeps every record it saw, by shard."""

    def __init__(self, kinesis, name):
        self.kinesis = kinesis
        self.name = name
        self.records = collections.defaultdict(list)

    def read(self):
        for shard in list_shards(self.kinesis, self.name):
            seen = self.records[shard["ShardId"]]
            seen += read_shard(
                self.kinesis, self.name, shard["ShardId"], seen[-1]["SequenceNumber"] if seen else None
            )
        return self

    @property
    def texts(self):
        """Each record's data as text without a closing newline, shard by shard."""
        return [
            record["Data"].decode().removesuffix("\n")
            for shard in sorted(self.records)
            for record in self.records[shard]
        ]

    def check_order(self):
        """Sequence numbers rise strictly in each shard and have AWS's shape."""
        for shard, records in self.records.items():
            numbers = [record["SequenceNumber"] for record in records]
            assert all(len(number) == 56 and number.startswith("49") for number in numbers), shard
            values = [int(number) for number in numbers]
            assert all(a < b for a, b in zip(values, values[1:])), f"{shard} is out of order"


def more_than_once(texts):
    """The texts that stand there twice or more, with their counts."""
    return {text: count for text, count in collections.Counter(texts).items() if count > 1}


def differences(expected, found):
    """(lost, doubled, strange): what `found` lacks, holds twice, and holds without being expected."""
    counts = collections.Counter(found)
    expected = set(expected)
    lost = sorted(expected - counts.keys())
    doubled = {text: count for text, count in counts.items() if count > 1}
    strange = sorted(counts.keys() - expected)
    return lost, doubled, strange


def expect_exactly_once(expected, found, where):
    lost, doubled, strange = differences(expected, found)
    assert not lost and not doubled and not strange, (
        f"{where}: {len(lost)} lost {lost[:5]}, {len(doubled)} doubled {dict(list(doubled.items())[:5])}, "
        f"{len(strange)} strange {strange[:5]}"
    )


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def destination(prefix="", seconds=1, megabytes=1, bucket="files"):
    """An S3 destination that writes small files soon."""
    return {
        "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
        "BucketARN": f"arn:aws:s3:::{bucket}",
        "Prefix": prefix,
        "BufferingHints": {"SizeInMBs": megabytes, "IntervalInSeconds": seconds},
    }


def create_delivery_stream(firehose, name, source=None, **keys):
    """A delivery stream into files, fed by the data stream `source` or directly; waits until it is ACTIVE."""
    arguments = {"DeliveryStreamName": name, "ExtendedS3DestinationConfiguration": destination(**keys)}
    if source:
        arguments["DeliveryStreamType"] = "KinesisStreamAsSource"
        arguments["KinesisStreamSourceConfiguration"] = {
            "KinesisStreamARN": stream_arn(source),
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
        }
    arn = firehose.create_delivery_stream(**arguments)["DeliveryStreamARN"]

    def active():
        answer = firehose.describe_delivery_stream(DeliveryStreamName=name)
        return answer["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE"

    eventually(active, 20, what=f"delivery stream {name} is ACTIVE")
    return arn


def delivered_files(collector):
    """Every finished file of every delivery stream; unfinished ones stand in hidden folders."""
    return [
        path
        for path in sorted(collector.sinks.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(collector.sinks).parts)
    ]


def delivered_lines(collector):
    """The lines of every finished file. A file that does not end with a newline fails the test."""
    lines = []
    for path in delivered_files(collector):
        text = path.read_text()
        assert text.endswith("\n"), f"{path} ends in the middle of a line"
        lines += text.removesuffix("\n").split("\n")
    return lines


def metric(collector, name, **labels):
    """The sum of a metric over every series that has these labels, as `/metrics` tells it."""
    with urllib.request.urlopen(collector.url + "/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    series = [line.rsplit(" ", 1) for line in lines if line.startswith((name + "{", name + " "))]
    return sum(float(value) for head, value in series if all(label in head for label in wanted))


def text_of_line(line):
    """The text of a record in a line that a worker gives to a command or writes to a file."""
    return base64.b64decode(json.loads(line)["data"]).decode().removesuffix("\n")
