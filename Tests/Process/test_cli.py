"""The command line client."""

import json
import re

import pytest

import aws
from programs import BINARIES, Program, eventually, run_program


@pytest.fixture
def millrace(collector):
    """Runs `millrace ARGUMENTS` with the AWS environment variables of the collector."""

    def run(*arguments, input=None, environment=None):
        return run_program(BINARIES / "millrace", arguments, environment or collector.aws_environment, input=input)

    return run


def expect_ok(result):
    assert result.returncode == 0, f"{result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def test_streams_and_shards_as_tables_and_as_json(millrace, kinesis):
    aws.create_stream(kinesis, "orders", 2)
    table = expect_ok(millrace("streams"))
    assert re.search(r"orders\s.*ACTIVE", table), table
    streams = json.loads(expect_ok(millrace("streams", "--output", "json")))
    assert "orders" in json.dumps(streams)
    table = expect_ok(millrace("shards", "orders"))
    assert "shardId-000000000000" in table and "shardId-000000000001" in table
    shards = [json.loads(line) for line in expect_ok(millrace("shards", "orders", "--output", "json")).splitlines()]
    assert [shard["state"] for shard in shards] == ["open", "open"]


def test_put_takes_lines_and_tail_shows_them(stage, millrace, collector, kinesis):
    aws.create_stream(kinesis, "orders", 2)
    expect_ok(millrace("put", "orders", "hello world"))
    expect_ok(millrace("put", "orders", input="from a pipe\nsecond line\n"))
    reader = aws.StreamReader(kinesis, "orders").read()
    aws.expect_exactly_once(["hello world", "from a pipe", "second line"], reader.texts, "the stream")

    tail = Program("millrace", ["tail", "orders", "--from", "TRIM_HORIZON"], stage.folder, collector.aws_environment)
    stage.add(tail).start()
    eventually(lambda: tail.out.read_text().count("\n") >= 3, 20, what="tail shows three records")
    kinesis.split_shard(StreamName="orders", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
    aws.wait_active(kinesis, "orders")
    for n in range(20):
        kinesis.put_record(StreamName="orders", Data=f"after the split {n}".encode(), PartitionKey=str(n))
    eventually(lambda: tail.out.read_text().count("after the split") == 20, 30, what="tail follows the children")
    assert "\x1b[" not in tail.out.read_text(), "colours though it is no terminal"
    assert tail.stop() == 0


def test_the_endpoint_option_goes_before_the_environment(millrace, collector, kinesis):
    aws.create_stream(kinesis, "orders")
    wrong = {**collector.aws_environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    expect_ok(millrace("streams", "--endpoint-url", collector.url, environment=wrong))
    refused = millrace("streams", environment=wrong)
    assert refused.returncode != 0 and "127.0.0.1:1" in refused.stderr


def test_refusals_are_explained(millrace, collector):
    unknown = millrace("shards", "nowhere")
    assert unknown.returncode not in (0, 64) and "nowhere" in unknown.stderr
    bad_key = {**collector.aws_environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
    refused = millrace("streams", environment=bad_key)
    assert refused.returncode != 0 and "signature" in refused.stderr.lower()
    assert millrace("fly").returncode == 64


def test_every_program_has_help_version_and_check():
    for program in ("millrace", "millrace-collector", "millrace-agent", "millrace-worker"):
        assert "USAGE" in expect_ok(run_program(BINARIES / program, ["--help"], {})).upper()
        assert re.search(r"\d+\.\d+", expect_ok(run_program(BINARIES / program, ["--version"], {})))
    for program in ("millrace-collector", "millrace-agent", "millrace-worker"):
        assert "USAGE" in expect_ok(run_program(BINARIES / program, ["check", "--help"], {})).upper()
