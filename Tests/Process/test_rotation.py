"""Rotation in four ways, each with a slow collector and an agent that is killed in the middle: 0 lost, 0 twice."""

import random
import time

import pytest

import aws
from logfile import RotatedLog
from programs import eventually


@pytest.fixture
def shipping(stage, collector, kinesis, tmp_path):
    """(log, agent, reader): an agent that ships `log` into a stream of two shards."""
    aws.create_stream(kinesis, "app", 2)
    log = RotatedLog(tmp_path / "logs")
    flow = {
        "filePattern": str(log.folder / log.pattern),
        "kinesisStream": "app",
        "initialPosition": "START_OF_FILE",
        "maxBufferAgeMillis": 1000,
    }
    agent = stage.agent(collector, [flow]).start()
    yield log, agent, aws.StreamReader(kinesis, "app")
    log.stop()


def expect_all(log, reader, where, timeout=60):
    log.stop()
    eventually(lambda: len(reader.read().texts) >= len(log.lines), timeout, 0.2, f"{where}: every line is in the stream")
    time.sleep(1.5)
    reader.read().check_order()
    aws.expect_exactly_once(log.lines, reader.texts, where)


def pause(collector, seconds):
    collector.pause()
    time.sleep(seconds)
    collector.resume()


@pytest.mark.parametrize("way", ["rename", "create", "copytruncate"])
def test_rotation(way, shipping, collector):
    log, agent, reader = shipping
    chance = random.Random(way)
    log.run(1500)
    for turn in range(6):
        time.sleep(chance.uniform(0.3, 0.9))
        if turn % 2 == 0:
            collector.pause()
            time.sleep(chance.uniform(0.2, 0.6))
            log.rotate(way)
            time.sleep(chance.uniform(0.1, 0.4))
            if turn in (2, 4):
                agent.kill9()
                agent.start()
            collector.resume()
        else:
            log.rotate(way)
    expect_all(log, reader, way)


@pytest.mark.parametrize("way", ["rename", "create", "copytruncate"])
def test_rotation_while_the_agent_is_down(way, shipping):
    log, agent, reader = shipping
    log.write(1000)
    eventually(lambda: len(reader.read().texts) >= 500, 20, what="the first lines are in the stream")
    agent.kill9()
    for _ in range(3):
        log.write(700)
        log.rotate(way)
        log.write(400)
    agent.start()
    expect_all(log, reader, f"{way} while down")


@pytest.mark.parametrize("way", ["rename", "create", "copytruncate"])
def test_rotation_under_one_kill_after_another(way, shipping):
    log, agent, reader = shipping
    chance = random.Random(f"kills {way}")
    log.run(1000)
    for turn in range(10):
        time.sleep(chance.uniform(0.05, 0.5))
        agent.kill9()
        if turn % 3 == 0:
            log.rotate(way)
        agent.start()
        if turn % 3 == 1:
            log.rotate(way)
    expect_all(log, reader, f"{way} under kills")


def test_deletion_while_open(shipping, collector):
    """What only an unlinked file holds dies with the processes that hold it open, so the agent is killed when it has
    shipped what was unlinked, and in the middle of everything else."""
    log, agent, reader = shipping
    log.write(2000)
    for _ in range(3):
        eventually(lambda: reader.read().texts, 20, what="the agent holds the file")
        collector.pause()
        log.write(1500)
        time.sleep(0.5)
        log.delete()
        log.write(1000)
        time.sleep(0.3)
        collector.resume()
        eventually(lambda: len(reader.read().texts) >= len(log.lines), 40, 0.1, "the unlinked file is shipped")
        log.reopen()
        log.write(1200)
        agent.kill9()
        log.write(300)
        agent.start()
        eventually(lambda: len(reader.read().texts) >= len(log.lines), 40, 0.1, "the new file is shipped")
    expect_all(log, reader, "deletion while open")


def test_a_slow_collector_stops_the_reading_and_nothing_is_lost(shipping, collector):
    log, agent, reader = shipping
    for _ in range(4):
        log.write(8000)
        pause(collector, 1.5)
    log.create()
    log.write(100)
    pause(collector, 1.0)
    expect_all(log, reader, "slow collector")


def test_two_files_with_the_same_first_lines_are_two_files(shipping):
    log, agent, reader = shipping
    header = "# header\n" * 30
    for name in ("app.log-a", "app.log-b"):
        (log.folder / name).write_text(header + f"{name}\n")
    expected = 62
    eventually(lambda: len(reader.read().texts) >= expected, 30, 0.2, "both files are in the stream")
    time.sleep(2)
    texts = reader.read().texts
    assert sorted(text for text in texts if text.startswith("app")) == ["app.log-a", "app.log-b"]
    assert len(texts) == expected
