"""What time ends: iterators and page tokens after five minutes, records and closed shards after retention. The
collector is started again with a clock that libfaketime moved."""

import datetime
import pathlib
import re

import pytest

import aws
import wire
from checks import MIDDLE, SHARD, expect_no_hole, is_open, shard_id
from conftest import QUICK
from programs import Collector, eventually

[LIBRARY] = pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")


class Traveller:
    """A collector that is killed, and started again at a later time."""

    def __init__(self, folder):
        self.collector = Collector(folder, extra=QUICK)
        self.collector.start()
        self.ahead = datetime.timedelta()

    def travel(self, **time):
        self.ahead = datetime.timedelta(**time)
        self.collector.kill9()
        seconds = int(self.ahead.total_seconds())
        self.collector.environment = {
            # The library changes the environment while it is loaded, and Swift then finds no arguments beside it.
            "MILLRACE_DATA_DIR": str(self.collector.data),
            "MILLRACE_LISTEN": f"127.0.0.1:{self.collector.port}",
            "MILLRACE_LIMITS": "none",
            # Nor do timers work as they should, so no change waits for one.
            "MILLRACE_TRANSITION_MILLIS": "0",
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME": f"+{seconds}s",
            # Timers go on as they are.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.collector.start()

    def now(self):
        return datetime.datetime.now(datetime.UTC) + self.ahead

    def call(self, operation, **content):
        """The answer to a request that is signed in the collector's own time."""
        return wire.call(self.collector, operation, content, when=self.now())

    def good(self, operation, **content):
        answer = self.call(operation, **content)
        assert answer.status == 200, answer
        return answer.content

    def refused(self, code, operation, **content):
        answer = self.call(operation, **content)
        assert (answer.status, answer.error) == (400, code), answer
        return answer.message

    def create(self, name, shards):
        self.good("CreateStream", StreamName=name, ShardCount=shards)
        self.wait_active(name)

    def wait_active(self, name):
        def active():
            summary = self.good("DescribeStreamSummary", StreamName=name)["StreamDescriptionSummary"]
            return summary["StreamStatus"] == "ACTIVE"

        eventually(active, 10, 0.01, f"{name} is ACTIVE")

    def iterator(self, name, shard=SHARD, kind="TRIM_HORIZON"):
        return self.good("GetShardIterator", StreamName=name, ShardId=shard, ShardIteratorType=kind)["ShardIterator"]

    def data(self, name, shard=SHARD):
        records, iterator = [], self.iterator(name, shard)
        while iterator:
            page = self.good("GetRecords", ShardIterator=iterator)
            records += [record["Data"] for record in page["Records"]]
            iterator = page.get("NextShardIterator")
            if not page["Records"] and page["MillisBehindLatest"] == 0:
                break
        return records


@pytest.fixture
def traveller(tmp_path):
    traveller = Traveller(tmp_path)
    yield traveller
    traveller.collector.kill9()


def test_iterators_and_page_tokens_live_for_five_minutes(traveller):
    traveller.create("s", 3)
    arn = aws.stream_arn("s")
    for name in ("a", "b"):
        traveller.good("RegisterStreamConsumer", StreamARN=arn, ConsumerName=name)
    traveller.good("PutRecord", StreamName="s", Data="AAAA", PartitionKey="k", ExplicitHashKey="0")
    iterator = traveller.iterator("s")
    shards = traveller.good("ListShards", StreamName="s", MaxResults=1)["NextToken"]
    consumers = traveller.good("ListStreamConsumers", StreamARN=arn, MaxResults=1)["NextToken"]

    traveller.travel(minutes=4)
    # They survive a restart, and go on where they were.
    page = traveller.good("GetRecords", ShardIterator=iterator)
    assert len(page["Records"]) == 1
    fresh = page["NextShardIterator"]
    assert len(traveller.good("ListShards", NextToken=shards)["Shards"]) == 2
    assert len(traveller.good("ListStreamConsumers", StreamARN=arn, NextToken=consumers)["Consumers"]) == 1

    traveller.travel(minutes=6)
    stamp = r"\w{3} \w{3} \d{2} \d{2}:\d{2}:\d{2} UTC \d{4}"
    pattern = (
        rf"Iterator expired\. The iterator was created at time {stamp} while right now it is {stamp} which is further "
        r"in the future than the tolerated delay of 300000 milliseconds\."
    )
    message = traveller.refused("ExpiredIteratorException", "GetRecords", ShardIterator=iterator)
    assert re.fullmatch(pattern, message), message
    assert traveller.good("GetRecords", ShardIterator=fresh)["Records"] == []
    traveller.refused("ExpiredNextTokenException", "ListShards", NextToken=shards)
    traveller.refused("ExpiredNextTokenException", "ListStreamConsumers", StreamARN=arn, NextToken=consumers)


def test_records_and_closed_shards_go_when_retention_ends(traveller):
    traveller.create("s", 1)
    traveller.good("PutRecord", StreamName="s", Data="AAAA", PartitionKey="k")
    traveller.good("SplitShard", StreamName="s", ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
    traveller.wait_active("s")

    traveller.travel(hours=23)
    traveller.good("PutRecord", StreamName="s", Data="BBBB", PartitionKey="k", ExplicitHashKey="0")
    assert traveller.data("s") == ["AAAA"]
    filters = {"StreamName": "s", "ShardFilter": {"Type": "AT_TRIM_HORIZON"}}
    assert [shard["ShardId"] for shard in traveller.good("ListShards", **filters)["Shards"]] == [SHARD]

    traveller.travel(hours=25)

    def listed():
        return [shard["ShardId"] for shard in traveller.good("ListShards", StreamName="s")["Shards"]]

    eventually(lambda: listed() == [shard_id(1), shard_id(2)], 15, 0.05, "the closed shard is gone")
    shards = traveller.good("ListShards", **filters)["Shards"]
    expect_no_hole(shards)
    assert all(is_open(shard) for shard in shards)
    description = traveller.good("DescribeStream", StreamName="s")["StreamDescription"]
    assert [shard["ShardId"] for shard in description["Shards"]] == [shard_id(1), shard_id(2)]
    # The child's parent is not listed any more; the child's own record of 2 hours ago is there.
    assert traveller.data("s", shard_id(1)) == ["BBBB"]
    at = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    traveller.refused("ResourceNotFoundException", "GetShardIterator", **at)


def test_a_longer_retention_keeps_records_and_a_shorter_one_drops_them(traveller):
    for name, hours in (("long", 48), ("short", None)):
        traveller.create(name, 1)
        if hours:
            traveller.good("IncreaseStreamRetentionPeriod", StreamName=name, RetentionPeriodHours=hours)
            traveller.wait_active(name)
    numbers = {
        name: traveller.good("PutRecord", StreamName=name, Data="AAAA", PartitionKey="k")["SequenceNumber"]
        for name in ("long", "short")
    }

    traveller.travel(hours=30)
    for name in ("long", "short"):
        traveller.good("PutRecord", StreamName=name, Data="BBBB", PartitionKey="k")
    assert traveller.data("long") == ["AAAA", "BBBB"]
    assert traveller.data("short") == ["BBBB"]
    # A number that was trimmed starts at the horizon.
    at = {"StreamName": "short", "ShardId": SHARD, "ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
    iterator = traveller.good("GetShardIterator", **at, StartingSequenceNumber=numbers["short"])["ShardIterator"]
    records = traveller.good("GetRecords", ShardIterator=iterator)["Records"]
    assert [record["Data"] for record in records] == ["BBBB"]
    # What a longer period could have kept does not come back; a shorter one drops at once.
    traveller.good("IncreaseStreamRetentionPeriod", StreamName="short", RetentionPeriodHours=100)
    traveller.wait_active("short")
    assert traveller.data("short") == ["BBBB"]
    traveller.good("DecreaseStreamRetentionPeriod", StreamName="long", RetentionPeriodHours=24)
    traveller.wait_active("long")
    assert traveller.data("long") == ["BBBB"]
