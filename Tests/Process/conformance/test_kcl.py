"""The KCL for Java 3.1, unmodified but for a random wait, consumes a stream over a split to its end: by polling, and by
enhanced fan-out."""

import json
import os

import pytest

import aws
import java
from checks import MIDDLE, SHARD, shard_id
from programs import Program, eventually

MODES = ["polling", "fan-out"]


@pytest.fixture
def kcl(stage, own_collector, tmp_path, class_path):
    kinesis = aws.client("kinesis", own_collector)
    aws.create_stream(kinesis, "consumed", 1)
    put(kinesis, range(20))
    program, *arguments = java.command(class_path, "KclMain", own_collector.url, "consumed")
    environment = {"AWS_REGION": "", **own_collector.aws_environment}
    kcl = Program("kcl", arguments, tmp_path, {**os.environ, **environment}, binary=program)
    stage.add(kcl).start()
    return kcl, kinesis


def put(kinesis, numbers):
    for number in numbers:
        kinesis.put_record(StreamName="consumed", Data=b"%d" % number, PartitionKey=f"key {number % 10}")


def events(kcl, mode, event):
    lines = [json.loads(line) for line in kcl.out.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if (line["mode"], line["event"]) == (mode, event)]


def test_the_kcl_reads_every_record_once_across_a_split(kcl):
    kcl, kinesis = kcl

    def wait_for(count, what):
        def check():
            kcl.expect_running()
            return all(len(events(kcl, mode, "record")) >= count for mode in MODES)

        eventually(check, 60, 0.1, what)

    wait_for(20, "both have read what was there")
    put(kinesis, range(20, 40))
    wait_for(40, "both read what comes")
    kinesis.split_shard(StreamName="consumed", ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
    aws.wait_active(kinesis, "consumed")
    put(kinesis, range(40, 60))
    wait_for(60, "both read the children")
    for mode in MODES:
        records = events(kcl, mode, "record")
        assert sorted(int(record["data"]) for record in records) == list(range(60)), mode
        for key in range(10):
            of_key = [int(record["data"]) for record in records if int(record["data"]) % 10 == key]
            assert of_key == sorted(of_key), mode
        assert {record["shard"] for record in records if int(record["data"]) < 40} == {SHARD}
        assert {record["shard"] for record in records if int(record["data"]) >= 40} == {shard_id(1), shard_id(2)}
        # The parent was ended by its last page or event, before a child began.
        assert [end["shard"] for end in events(kcl, mode, "end")] == [SHARD]
        assert {begin["shard"] for begin in events(kcl, mode, "begin")} == {SHARD, shard_id(1), shard_id(2)}
        assert not events(kcl, mode, "lost") and not events(kcl, mode, "no checkpoint")
