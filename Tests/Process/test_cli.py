"""The command line client."""

import json
import os
import re
import subprocess

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


def test_tail_ends_when_its_reader_leaves_and_says_when_its_output_fails(millrace, collector, kinesis):
    aws.create_stream(kinesis, "orders")
    for n in range(100):
        kinesis.put_record(StreamName="orders", Data=b"x" * 2000, PartitionKey=str(n))
    program = BINARIES / "millrace"
    environment = {**os.environ, **collector.aws_environment}
    tail = subprocess.Popen(
        [program, "tail", "orders", "--from", "TRIM_HORIZON"], stdout=subprocess.PIPE, env=environment
    )
    assert tail.stdout.read(100)
    tail.stdout.close()
    assert tail.wait(20) == 0
    with open("/dev/full", "w") as full:
        result = subprocess.run([program, "streams"], stdout=full, stderr=subprocess.PIPE, env=environment, text=True)
    assert result.returncode == 1 and "No space left" in result.stderr


def test_put_that_is_told_to_stop_does_not_claim_to_have_finished(collector, kinesis):
    aws.create_stream(kinesis, "orders")
    put = subprocess.Popen(
        [BINARIES / "millrace", "put", "orders"], stdin=subprocess.PIPE, env={**os.environ, **collector.aws_environment}
    )
    put.stdin.write(b"one\nhalf")
    put.stdin.flush()
    reader = aws.StreamReader(kinesis, "orders")
    eventually(lambda: reader.read().texts == ["one"], 20, what="the first line is stored")
    put.terminate()
    assert put.wait(20) != 0
    put.stdin.close()


def test_put_of_a_line_that_is_too_long_stores_the_lines_before_it_and_says_which(millrace, kinesis):
    aws.create_stream(kinesis, "orders")
    result = millrace("put", "orders", input="one\ntwo\n" + "x" * (32 << 20))
    assert result.returncode == 1 and "line 3 has more than" in result.stderr, result.stderr
    assert sorted(aws.StreamReader(kinesis, "orders").read().texts) == ["one", "two"]


@pytest.mark.parametrize("start", ["nan", "inf", "1e300", "-1e300", "yesterday"])
def test_a_start_that_is_no_time_is_refused(millrace, start):
    result = millrace("tail", "orders", f"--from={start}")
    assert result.returncode == 64 and "LATEST, TRIM_HORIZON or a time" in result.stderr


@pytest.mark.parametrize("program", ["millrace", "millrace-worker"])
def test_an_endpoint_with_an_impossible_port_is_refused(collector, program):
    arguments = {"millrace": ["streams"], "millrace-worker": ["check", "--application-name", "app", "--stream", "s"]}
    result = run_program(
        BINARIES / program,
        [*arguments[program], "--endpoint-url", "http://127.0.0.1:99999"],
        collector.aws_environment,
    )
    assert result.returncode in (1, 78) and "is not an endpoint" in result.stderr + result.stdout


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
