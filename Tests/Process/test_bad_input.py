"""What is wrong is refused with the right error or a message that helps, loses nothing, and work resumes by itself."""

import datetime
import json
import os
import shutil
import subprocess
import threading
import time

import botocore.exceptions
import pytest

import aws
import raw
from programs import BINARIES, eventually, run_program

LIST = "Kinesis_20131202.ListStreams"
PUT = "Kinesis_20131202.PutRecord"
SERVICES = {"DynamoDB": "dynamodb"}


def record(data="eA==", key="k", stream="s"):
    return {"StreamName": stream, "Data": data, "PartitionKey": key}


@pytest.mark.parametrize("body", [b'{"StreamName": ', b"[1,2", b"nonsense", b'{"a":1}}', b'{"StreamName":"\xff\xfe"}'])
def test_malformed_json_is_a_serialization_error(collector, body):
    status, kind, _ = raw.post(collector, PUT, body)
    assert (status, kind) == (400, "SerializationException")


def test_deeply_nested_json_does_not_end_the_collector(collector):
    for name in (b"StreamName", b"NobodyKnowsThis"):
        deep = b'{"%s":' % name + b"[" * 200_000 + b"]" * 200_000 + b"}"
        for target in (PUT, "Kinesis_20131202.CreateStream", "DynamoDB_20120810.PutItem"):
            status, _, _ = raw.post(collector, target, deep, service=SERVICES.get(target.split("_")[0], "kinesis"))
            assert status == 400
    collector.expect_running()


@pytest.mark.parametrize(
    "body, kind",
    [
        ({"StreamName": 7, "Data": "eA==", "PartitionKey": "k"}, "SerializationException"),
        (record(data="!!!!"), "SerializationException"),
        (record(data="eA="), "SerializationException"),
        (record(stream=""), "ValidationException"),
        (record(stream="no/slash"), "ValidationException"),
        (record(key=""), "ValidationException"),
        (record(key="k" * 257), "ValidationException"),
        ({"StreamName": "s", "PartitionKey": "k"}, "ValidationException"),
        (record(stream="unknown"), "ResourceNotFoundException"),
    ],
)
def test_a_wrong_put_is_refused_with_the_aws_error(collector, kinesis, body, kind):
    aws.create_stream(kinesis, "s")
    status, found, answer = raw.post(collector, PUT, body)
    assert (status, found) == (400, kind), answer


def test_an_unknown_operation_and_an_unknown_service(collector):
    for target in ("Kinesis_20131202.FlyToTheMoon", "Kinesis_19991231.ListStreams", "Nonsense"):
        status, kind, _ = raw.post(collector, target, {})
        assert (status, kind) == (400, "UnknownOperationException")


def test_signatures_that_do_not_hold(collector):
    key, secret = collector.credentials
    now = datetime.datetime.now(datetime.UTC)
    minutes = datetime.timedelta(minutes=1)

    def cut(headers):
        headers["Authorization"] = headers["Authorization"].split(", Signature=")[0]

    def retarget(headers):
        headers["X-Amz-Target"] = "Kinesis_20131202.DescribeLimits"

    cases = [
        ({"credentials": (key, secret[:-1] + ("A" if secret[-1] != "A" else "B"))}, "InvalidSignatureException"),
        ({"credentials": ("AKIAIOSFODNN7EXAMPLE", secret)}, "UnrecognizedClientException"),
        ({"sign": False}, "MissingAuthenticationTokenException"),
        ({"when": now - 20 * minutes}, "InvalidSignatureException"),
        ({"when": now + 20 * minutes}, "InvalidSignatureException"),
        ({"alter": cut}, "IncompleteSignatureException"),
        ({"alter": retarget}, "InvalidSignatureException"),
    ]
    for keys, expected in cases:
        status, kind, answer = raw.post(collector, LIST, {}, **keys)
        assert (status, kind) == (400, expected), (keys, answer)
        assert secret not in json.dumps(answer)
    assert raw.post(collector, LIST, {})[0] == 200
    _, _, answer = raw.post(collector, LIST, {}, when=now - 20 * minutes)
    assert "Signature expired" in answer["message"]


def test_a_body_that_was_changed_on_the_way_is_refused(collector, kinesis):
    aws.create_stream(kinesis, "s")
    signed = {}
    raw.post(collector, PUT, record(), alter=signed.update)
    status, kind, _ = raw.post(collector, PUT, record(data="eQ=="), sign=False, alter=lambda h: h.update(signed))
    assert (status, kind) == (400, "InvalidSignatureException")
    assert len(aws.read_shard(kinesis, "s", "shardId-000000000000")) == 1


def test_too_large_is_refused_and_stores_nothing(collector, kinesis):
    aws.create_stream(kinesis, "s")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kinesis.put_record(StreamName="s", Data=b"x" * (1024 * 1024 + 1), PartitionKey="k")
    assert error.value.response["Error"]["Code"] in ("ValidationException", "InvalidArgumentException")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kinesis.put_records(StreamName="s", Records=[{"Data": b"x", "PartitionKey": "k"}] * 501)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kinesis.put_records(StreamName="s", Records=[{"Data": b"x" * 1_000_000, "PartitionKey": "k"}] * 11)
    assert error.value.response["Error"]["Code"] in ("ValidationException", "InvalidArgumentException")
    assert aws.read_shard(kinesis, "s", "shardId-000000000000") == []
    kinesis.put_record(StreamName="s", Data=b"fits", PartitionKey="k")


def test_a_collector_that_cannot_start_says_why(collector, tmp_path):
    program = BINARIES / "millrace-collector"
    second = run_program(program, ["--data-dir", collector.data, "--listen", "127.0.0.1:0"], {})
    assert second.returncode not in (0, 64) and str(collector.data) in second.stderr, second.stderr
    taken = run_program(program, ["--data-dir", tmp_path / "other", "--listen", f"127.0.0.1:{collector.port}"], {})
    assert taken.returncode not in (0, 64) and str(collector.port) in taken.stderr, taken.stderr
    assert run_program(program, ["--no-such-option"], {}).returncode == 64
    open_door = ["--data-dir", tmp_path / "third", "--listen", "0.0.0.0:0", "--auth", "none"]
    refused = run_program(program, open_door, {})
    assert refused.returncode in (64, 78) and "loopback" in refused.stderr, refused.stderr


def test_check_names_every_mistake_of_an_agent_json_with_its_line(tmp_path):
    config = tmp_path / "agent.json"
    config.write_text(
        "{\n"
        "  // three mistakes, on the lines 3, 6 and 7\n"
        '  "kinesis.endpont": "http://127.0.0.1:4567",\n'
        '  "flows": [\n'
        '    { "filePattern": "/var/log/app.log*", "kinesisStream": "app",\n'
        '      "maxBufferSizeRecords": 5000,\n'
        '      "initialPosition": "MIDDLE_OF_FILE" }\n'
        "  ]\n"
        "}\n"
    )
    for command in (["check"], ["run"]):
        result = run_program(BINARIES / "millrace-agent", [*command, "--config", config], {})
        said = result.stdout + result.stderr
        assert result.returncode == 78, said
        for line, words in ((3, ["kinesis.endpont", "kinesis.endpoint"]), (6, ["maxBufferSizeRecords", "500"]),
                            (7, ["initialPosition", "START_OF_FILE", "END_OF_FILE"])):
            mistake = [text for text in said.splitlines() if f"{config}:{line}" in text]
            assert mistake, f"no word about line {line}:\n{said}"
            assert all(word in said for word in words), said


def test_check_names_a_broken_syntax_and_a_missing_file(tmp_path):
    config = tmp_path / "agent.json"
    config.write_text('{\n  "flows": [\n    { "filePattern" "/x" }\n  ]\n}\n')
    result = run_program(BINARIES / "millrace-agent", ["check", "--config", config], {})
    assert result.returncode == 78 and f"{config}:3" in result.stdout + result.stderr
    result = run_program(BINARIES / "millrace-agent", ["check", "--config", tmp_path / "none.json"], {})
    assert result.returncode == 78 and "none.json" in result.stdout + result.stderr


def test_an_unreadable_file_is_named_and_the_others_are_shipped(stage, collector, kinesis, tmp_path):
    """Root reads everything, so the unreadable one is a dangling symbolic link to nowhere and a directory, both of which
    match the pattern; as another user it is a file of mode 0."""
    aws.create_stream(kinesis, "s")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "dir.log").mkdir()
    (logs / "loop.log").symlink_to(logs / "loop.log")
    (logs / "good.log").write_text("one\ntwo\n")
    agent = stage.agent(collector, [flow(logs / "*.log")]).start()
    reader = aws.StreamReader(kinesis, "s")
    eventually(lambda: sorted(reader.read().texts) == ["one", "two"], 20, what="the readable file is shipped")
    eventually(lambda: "loop.log" in agent.tail(400), 20, what="the agent names the file it cannot open")
    (logs / "loop.log").unlink()
    (logs / "loop.log").write_text("three\n")
    eventually(lambda: sorted(reader.read().texts) == ["one", "three", "two"], 20, what="the mended file is shipped")
    agent.expect_running()


def test_a_file_without_read_permission_is_named_and_shipped_once_it_may_be_read(open_stage):
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    collector = open_stage.collector()
    kinesis = aws.client("kinesis", collector)
    aws.create_stream(kinesis, "s")
    logs = open_stage.folder / "logs"
    logs.mkdir()
    (logs / "good.log").write_text("one\n")
    (logs / "secret.log").write_text("two\n")
    (logs / "secret.log").chmod(0)
    agent = open_stage.agent(collector, [flow(logs / "*.log")])
    agent.config.chmod(0o644)
    agent.state.mkdir()
    os.chown(agent.state, 65534, 65534)
    # The build folder may be closed to other users.
    program = open_stage.folder / "millrace-agent"
    shutil.copy(agent.binary, program)
    agent.arguments = ["--reuid=65534", "--clear-groups", str(program), *agent.arguments]
    agent.binary = "setpriv"
    agent.start()
    reader = aws.StreamReader(kinesis, "s")
    eventually(lambda: reader.read().texts == ["one"], 20, what="the readable file is shipped")
    eventually(lambda: "secret.log" in agent.tail(400), 20, what="the agent names the file it may not read")
    (logs / "secret.log").chmod(0o644)
    eventually(lambda: sorted(reader.read().texts) == ["one", "two"], 40, what="the file is shipped")


def test_the_agent_waits_for_a_stream_that_does_not_exist_yet(stage, collector, kinesis, tmp_path):
    (tmp_path / "a.log").write_text("one\n")
    agent = stage.agent(collector, [flow(tmp_path / "a.log")]).start()
    eventually(lambda: "ResourceNotFoundException" in agent.tail(400) or " s " in agent.tail(400), 20,
               what="the agent says that there is no such stream")
    agent.expect_running()
    aws.create_stream(kinesis, "s")
    reader = aws.StreamReader(kinesis, "s")
    eventually(lambda: reader.read().texts == ["one"], 40, what="the line is shipped")


def flow(pattern, stream="s", **keys):
    return {
        "filePattern": str(pattern),
        "kinesisStream": stream,
        "initialPosition": "START_OF_FILE",
        "maxBufferAgeMillis": 1000,
        **keys,
    }


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_refuses_puts_loses_nothing_and_recovers_by_itself(stage, small_disk):
    collector = stage.collector(data=small_disk / "data")
    kinesis = aws.client("kinesis", collector)
    aws.create_stream(kinesis, "s", 2)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * (10 << 20))
    acked, refused = set(), []

    def put(number):
        entries = [{"Data": f"{number}-{n}".ljust(20_000, "."), "PartitionKey": f"{number}-{n}"} for n in range(10)]
        try:
            answer = kinesis.put_records(StreamName="s", Records=entries)
        except botocore.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, error
            refused.append(str(error))
            return
        for entry, result in zip(entries, answer["Records"]):
            if "SequenceNumber" in result:
                acked.add(entry["Data"])
            else:
                refused.append(result["ErrorCode"])

    number = 0
    while len(refused) < 20 and number < 500:
        put(number)
        number += 1
    assert refused, "the disk never filled"
    collector.expect_running()
    before = len(acked)
    assert before > 0
    assert acked <= set(aws.StreamReader(kinesis, "s").read().texts), "an acked record cannot be read while full"

    ballast.unlink()
    refused.clear()

    def works():
        put(number + len(acked))
        return len(acked) > before

    eventually(works, 20, 0.2, "puts work again without a restart")
    stored = aws.StreamReader(kinesis, "s").read()
    stored.check_order()
    assert acked <= set(stored.texts)
    collector.restart()
    after = aws.StreamReader(aws.client("kinesis", collector), "s").read()
    assert acked <= set(after.texts)
    assert not aws.more_than_once(after.texts)


def test_an_agent_behind_a_full_disk_loses_nothing(stage, small_disk, tmp_path):
    collector = stage.collector(data=small_disk / "data")
    kinesis = aws.client("kinesis", collector)
    aws.create_stream(kinesis, "s")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * (18 << 20))
    lines = [f"{n:06} ".ljust(500, "x") for n in range(16_000)]
    log = tmp_path / "app.log"
    stage.agent(collector, [flow(log)]).start()

    def write():
        with open(log, "a", buffering=1) as file:
            for start in range(0, len(lines), 500):
                file.write("\n".join(lines[start : start + 500]) + "\n")
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    time.sleep(2)
    reader = aws.StreamReader(kinesis, "s")
    stored = len(reader.read().texts)
    assert stored < len(lines), "the disk never filled"
    ballast.unlink()
    eventually(lambda: len(reader.read().texts) >= len(lines), 60, 0.3, "every line arrives")
    aws.expect_exactly_once(lines, reader.texts, "behind a full disk")


def test_a_torn_tail_on_a_full_disk_is_cut_off_and_what_was_acknowledged_is_read(stage, small_disk):
    collector = stage.collector(data=small_disk / "collector")
    kinesis = aws.client("kinesis", collector)
    aws.create_stream(kinesis, "s")
    for n in range(5):
        kinesis.put_record(StreamName="s", Data=f"line {n}".encode(), PartitionKey="k")
    collector.kill9()
    segment = next((collector.data / "log").glob("*/0/*.log"))
    with open(segment, "ab") as file:
        file.write(b"KSF1" + b"\x40\x00\x01\x01" + b"\xff" * 300_000)
    with open(small_disk / "ballast", "wb", buffering=0) as ballast, pytest.raises(OSError):
        while ballast.write(b"\0" * 4096):
            pass
    collector.start()
    assert aws.StreamReader(kinesis, "s").read().texts == [f"line {n}" for n in range(5)]
    (small_disk / "ballast").unlink()
    kinesis.put_record(StreamName="s", Data=b"after", PartitionKey="k")
    assert aws.StreamReader(kinesis, "s").read().texts == [*(f"line {n}" for n in range(5)), "after"]
