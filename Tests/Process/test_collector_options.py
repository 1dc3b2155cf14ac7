"""The collector's options, from the command line, the environment and a file; and how it is run as a service."""

import os
import shutil
import socket

import pytest

import aws
from programs import BINARIES, run_program

COLLECTOR = BINARIES / "millrace-collector"


def test_the_collector_takes_its_options_from_a_file_and_names_every_mistake_in_it(stage, tmp_path):
    config = tmp_path / "collector.json"
    config.write_text('{\n  "lissen": "127.0.0.1:0",\n  "account": 12,\n  "auth": "none"\n}\n')
    result = run_program(COLLECTOR, ["check", "--config", config], {})
    assert result.returncode == 78
    assert f"{config}:2: lissen: is no key that is known here; did you mean listen?" in result.stderr
    assert f"{config}:3: account: found a number, expected text" in result.stderr

    config.write_text('{ "listen": "127.0.0.1:x", "account": "12", "limits": "aws" }')
    result = run_program(COLLECTOR, ["check", "--config", config, "--auth", "maybe"], {})
    assert result.returncode == 78
    for words in [
        f"{config}: listen: found '127.0.0.1:x', expected HOST:PORT",
        f"{config}: account: found '12', expected 12 digits",
        "--auth: found 'maybe', expected sigv4 or none",
        "no data folder: name one with --data-dir DIR",
    ]:
        assert words in result.stderr, result.stderr

    config.write_text('// this machine\n{ "account": "123456789012", "dataDir": "/nowhere" }')
    collector = stage.collector(extra=["--config", config])
    kinesis = aws.client("kinesis", collector)
    aws.create_stream(kinesis, "s")
    assert ":123456789012:" in kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]


def test_no_check_of_signatures_is_refused_beyond_loopback(tmp_path):
    for host in ["0.0.0.0", "127.example.com"]:
        arguments = ["check", "--data-dir", tmp_path, "--listen", f"{host}:0", "--auth", "none"]
        result = run_program(COLLECTOR, arguments, {})
        assert result.returncode == 78 and "loopback only" in result.stderr


def test_the_collector_tells_systemd_when_it_serves(stage, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        collector = stage.collector(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000).decode() == f"READY=1\nSTATUS=serves {collector.url}"
        assert collector.stop() == 0
        assert manager.recv(1000) == b"STOPPING=1"


def test_the_collector_serves_without_privileges(open_stage):
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user; as another user every test shows it")
    # The build folder may be closed to other users.
    program = open_stage.folder / "millrace-collector"
    shutil.copy(COLLECTOR, program)
    data = open_stage.folder / "collector"
    data.mkdir()
    os.chown(data, 65534, 65534)
    wrapper = open_stage.folder / "as-nobody"
    wrapper.write_text(f'#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups {program} "$@"\n')
    wrapper.chmod(0o755)
    collector = open_stage.collector(binary=wrapper)
    kinesis = aws.client("kinesis", collector)
    aws.create_stream(kinesis, "s")
    kinesis.put_record(StreamName="s", Data=b"x", PartitionKey="k")
    assert aws.StreamReader(kinesis, "s").read().texts == ["x"]
    assert (data / "credentials").stat().st_uid == 65534
