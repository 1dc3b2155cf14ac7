"""The AWS SDK for Java v2, unmodified: its synchronous client (CBOR over HTTP/1.1) and its asynchronous one (CBOR over
HTTP/2, by prior knowledge or ALPN; SubscribeToShard as JSON on the same connection), over cleartext and TLS.

One run of the program per scheme; it prints what it found, and these tests say whether that is right."""

import os
import subprocess
import time

import pytest

import aws
import java
from checks import MOST, SHARD, shard_id
from programs import ACCOUNT, REGION

CBOR = "application/x-amz-cbor-1.1"
CLIENTS = ["sync", "async"]


class Run:
    """What one run of the Java program found, and the collector it spoke to."""

    def __init__(self, collector, class_path):
        self.collector = collector
        self.kinesis = aws.client("kinesis", collector)
        result = subprocess.run(
            java.command(class_path, "Main", collector.url),
            env={**os.environ, **collector.aws_environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        self.steps = java.lines(result.stdout)
        assert result.returncode == 0 and "end" in self.steps, f"{result.returncode}\n{result.stderr[-5000:]}"

    def __call__(self, name):
        """The step's line; a step that ended with an exception fails the test."""
        assert name in self.steps, f"{name} was never reached: {list(self.steps)}"
        step = self.steps[name]
        assert "exception" not in step, step
        return step


@pytest.fixture(scope="module")
def runs(class_path):
    return {}


@pytest.fixture(params=["cleartext", "tls"])
def run(request, runs, class_path):
    if request.param not in runs:
        collector = request.getfixturevalue({"cleartext": "collector", "tls": "tls_collector"}[request.param])
        runs[request.param] = Run(collector, class_path)
    return runs[request.param]


@pytest.fixture(params=CLIENTS)
def client(request):
    return request.param


def texts(records):
    return [record["data"] for record in records]


FIVE = [f"record {index}" for index in range(5)]


def test_puts_are_answered_with_shard_and_rising_numbers(run, client):
    assert run(f"{client} create")["arn"] == aws.stream_arn(f"{client}-data")
    put = run(f"{client} put")
    assert put["shards"] == [SHARD] * 5
    numbers = [int(number) for number in put["numbers"]]
    assert numbers == sorted(set(numbers))


def test_each_kind_of_iterator_starts_where_it_says(run, client):
    assert texts(run(f"{client} trim horizon")["records"]) == FIVE
    assert texts(run(f"{client} at sequence number")["records"]) == FIVE[2:]
    assert texts(run(f"{client} after sequence number")["records"]) == FIVE[3:]
    assert texts(run(f"{client} latest")["records"]) == [f"batch {index}" for index in range(200)]


def test_arrival_times_are_exact_to_the_millisecond(run, client):
    """The same in CBOR to Java as in JSON to boto3; and AT_TIMESTAMP starts with the record of that millisecond."""
    seen = {record["number"]: record for record in run(f"{client} trim horizon")["records"]}
    records = aws.read_shard(run.kinesis, f"{client}-data", SHARD)[:5]
    millis = [round(record["ApproximateArrivalTimestamp"].timestamp() * 1000) for record in records]
    assert [seen[record["SequenceNumber"]]["millis"] for record in records] == millis
    assert millis == sorted(set(millis)), "five puts, 5 ms apart, came in five milliseconds"
    assert abs(millis[0] / 1000 - time.time()) < 300
    starts = run(f"{client} at timestamp")["starts"]
    assert [start["millis"] for start in starts] == millis
    for index, start in enumerate(starts):
        assert texts(start["at"]) == FIVE[index:]
        assert texts(start["after"]) == FIVE[index + 1 :]


def test_batches_pages_and_large_records(run, client):
    batch = run(f"{client} put records")
    assert (batch["failed"], batch["answers"]) == (0, 200)
    page = run(f"{client} limit")
    assert (page["count"], page["hasNext"], page["hasChildren"]) == (3, True, False)
    assert page["behind"] >= 0
    assert run(f"{client} large")["same"]


def test_a_stream_is_described(run, client):
    found = run(f"{client} describe")
    assert found["name"] == f"{client}-control" and found["arn"] == aws.stream_arn(found["name"])
    assert (found["mode"], found["retention"], found["encryption"]) == ("PROVISIONED", 24, "NONE")
    assert (found["open"], found["consumers"]) == (1, 0)
    assert found["created"] == found["createdInSummary"] and abs(found["created"] / 1000 - time.time()) < 300
    assert [(shard["start"], shard["end"], shard["last"]) for shard in found["shards"]] == [("0", str(MOST), None)]
    assert f"{client}-control" in run(f"{client} list streams")["names"]


def test_settings_are_changed(run, client):
    tags = run(f"{client} tags")
    assert tags["tags"] == tags["same"] == {"born": "with", "three": "3"}
    retention = run(f"{client} retention")
    assert (retention["increased"], retention["decreased"]) == (48, 24)
    encryption = run(f"{client} encryption")
    assert (encryption["started"], encryption["key"]) == ("KMS", "alias/aws/kinesis")
    assert (encryption["put"], encryption["stopped"]) == ("KMS", "NONE")
    monitoring = run(f"{client} monitoring")
    assert (monitoring["before"], monitoring["disabled"]) == ([], [])
    assert len(monitoring["after"]) == 7 and "ALL" not in monitoring["after"]
    assert run(f"{client} mode")["mode"] == "ON_DEMAND"
    assert run(f"{client} limits")["limit"] > 0
    policy = run(f"{client} policy")
    assert policy["same"] and policy["deleted"] == "{}"


def test_a_stream_is_split_merged_and_scaled(run, client):
    found = run(f"{client} reshard")
    assert (found["current"], found["target"]) == (1, 2)
    shards = found["shards"]
    assert [shard["id"] for shard in shards] == [shard_id(index) for index in range(6)]
    assert [(shard["parent"], shard["adjacent"]) for shard in shards] == [
        (None, None),
        (shard_id(0), None),
        (shard_id(0), None),
        (shard_id(1), shard_id(2)),
        (shard_id(3), None),
        (shard_id(3), None),
    ]
    assert [shard["last"] is None for shard in shards] == [False] * 4 + [True] * 2
    assert (shards[4]["end"], shards[5]["start"]) == (str(2**127 - 1), str(2**127))
    end = run(f"{client} end of a shard")
    assert end["next"] is None
    assert [(child["id"], child["parents"]) for child in end["children"]] == [
        (shard_id(1), [shard_id(0)]),
        (shard_id(2), [shard_id(0)]),
    ]
    assert [(child["start"], child["end"]) for child in end["children"]] == [
        ("0", str(2**127 - 1)),
        (str(2**127), str(MOST)),
    ]


def test_consumers_come_and_go(run, client):
    found = run(f"{client} consumers")
    assert found["status"] == "CREATING" and found["listed"] == ["reader"]
    prefix = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{client}-control/consumer/reader:"
    assert found["arn"] == prefix + str(found["created"] // 1000)
    assert found["again"]["exception"] == "ResourceInUseException"
    assert "exception" not in run(f"{client} delete")


def test_refusals_become_the_sdks_exceptions(run, client):
    refused = run(f"{client} refusals")["refused"]
    assert {name: refusal.get("exception") for name, refusal in refused.items()} == {
        "no stream": "ResourceNotFoundException",
        "stream exists": "ResourceInUseException",
        "no shard": "ResourceNotFoundException",
        "iterator": "InvalidArgumentException",
        "no number": "InvalidArgumentException",
        "limit": "ValidationException",
        "token": "InvalidArgumentException",
        "on demand": "ValidationException",
    }
    for refusal in refused.values():
        assert refusal["status"] == 400 and refusal["code"] == refusal["exception"]
        assert len(refusal["requestId"]) == 36
    assert refused["no stream"]["message"] == f"Stream nowhere under account {ACCOUNT} not found."
    assert refused["stream exists"]["message"] == f"Stream {client}-control under account {ACCOUNT} already exists."


def test_a_subscription_pushes_records_up_to_the_event_that_ends_the_shard(run):
    run("subscribe register")
    found = run("subscribe")
    # A second subscription within five seconds is refused, and leaves the first one alone.
    assert found["second"].get("exception") == "ResourceInUseException", found["second"]
    *events, last = found["events"]
    records = [record for event in found["events"] for record in event["records"]]
    assert texts(records) == [f"pushed {index}" for index in range(20)]
    numbers = [int(record["number"]) for record in records]
    assert numbers == sorted(set(numbers))
    for event in events:
        assert event["continuation"] and not event["children"] and event["behind"] >= 0
    continuations = [int(event["continuation"]) for event in events]
    assert continuations == sorted(continuations)
    # KCL reads the missing number as the shard's end, and refuses the event when there are no children.
    assert last["continuation"] is None
    assert [(child["id"], child["parents"]) for child in last["children"]] == [
        (shard_id(1), [SHARD]),
        (shard_id(2), [SHARD]),
    ]
    refused = run("subscribe refusals")["refused"]
    assert [refusal["exception"] for refusal in refused] == ["ResourceNotFoundException"]


def test_the_sdk_speaks_cbor_and_is_answered_in_cbor(run, client):
    seen = run(f"{client} wire")["seen"]
    assert len(seen) > 25
    subscribed = seen.pop("SubscribeToShard", [])
    assert all(kinds[0].startswith(CBOR + " -> ") and kinds[0].endswith(CBOR) for kinds in seen.values()), seen
    assert all(len(kinds) == 1 for kinds in seen.values()), seen
    if client == "async":
        assert "application/x-amz-json-1.1 -> application/vnd.amazon.eventstream" in subscribed
