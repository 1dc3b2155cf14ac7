"""Collector, agent and worker are killed at random while writers run; nothing is lost, and nothing is twice.

MILLRACE_SEED chooses the schedule (printed), MILLRACE_KILLS how many kills (50)."""

import collections
import os
import pathlib
import random
import sys
import threading
import time

import botocore.exceptions

import aws
from logfile import RotatedLog
from programs import eventually

HANDLER = pathlib.Path(__file__).with_name("handler.py")


class Putter:
    """A plain client: puts each text until a put is acknowledged, so a text may be stored more than once."""

    def __init__(self, collector, stream):
        self.collector = collector
        self.kinesis = aws.client("kinesis", collector, read_timeout=5)
        self.stream = stream
        self.acked = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._loop, daemon=True)

    def _loop(self):
        batch = 0
        while not self.stopping.is_set():
            texts = [f"put {batch} {n}" for n in range(20)]
            while texts and not self.stopping.is_set():
                texts = self._put(texts)
            batch += 1
            time.sleep(0.01)

    def _put(self, texts):
        entries = [{"Data": text + "\n", "PartitionKey": text} for text in texts]
        try:
            answer = self.kinesis.put_records(StreamName=self.stream, Records=entries)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            time.sleep(0.05)
            return texts
        failed = []
        for text, result in zip(texts, answer["Records"]):
            (self.acked if "SequenceNumber" in result else failed).append(text)
        return failed

    def stop(self):
        self.stopping.set()
        self.thread.join()


def test_fifty_kills_lose_nothing_and_double_nothing(stage, tmp_path):
    seed = os.environ.get("MILLRACE_SEED") or str(random.SystemRandom().randrange(10**9))
    kills = int(os.environ.get("MILLRACE_KILLS", "50"))
    print(f"MILLRACE_SEED={seed} MILLRACE_KILLS={kills}", file=sys.__stderr__, flush=True)
    chance = random.Random(seed)

    collector = stage.collector()
    kinesis, firehose = aws.client("kinesis", collector, attempts=5), aws.client("firehose", collector)
    aws.create_stream(kinesis, "app", 2)
    aws.create_delivery_stream(firehose, "files", source="app")
    log = RotatedLog(tmp_path / "logs")
    handled = tmp_path / "handled"
    flow = {
        "filePattern": str(log.folder / log.pattern),
        "kinesisStream": "app",
        "initialPosition": "START_OF_FILE",
        "maxBufferAgeMillis": 1000,
    }
    agent = stage.agent(collector, [flow]).start()
    worker = stage.worker(collector, "crash", "app", [sys.executable, HANDLER, handled]).start()
    putter = Putter(collector, "app")
    log.run(600)
    putter.thread.start()

    # Every program is killed at least once in three; which and when is chance.
    victims = [(collector, agent, worker)[n % 3] for n in range(kills)]
    chance.shuffle(victims)
    next_rotation = time.monotonic() + 2
    for victim in victims:
        time.sleep(chance.uniform(0.2, 1.0))
        if time.monotonic() > next_rotation:
            log.rotate(chance.choice(["rename", "create", "copytruncate"]))
            next_rotation = time.monotonic() + chance.uniform(1, 4)
        victim.expect_running()
        victim.kill9()
        time.sleep(chance.choice([0, 0, 0.1, 0.5]))
        victim.start()
    assert sum(program.starts for program in (collector, agent, worker)) == kills + 3
    time.sleep(1)
    log.stop()
    putter.stop()

    reader = aws.StreamReader(kinesis, "app")

    def in_stream():
        texts = reader.read().texts
        return sum(text.startswith("line") for text in texts) >= len(log.lines)

    eventually(in_stream, 90, 0.3, "every line is in the stream")
    time.sleep(2)
    stored = reader.read().texts
    reader.check_order()
    aws.expect_exactly_once(log.lines, [text for text in stored if text.startswith("line")], f"stream, seed {seed}")
    lost = set(putter.acked) - set(stored)
    assert not lost, f"seed {seed}: {len(lost)} acknowledged records are gone: {sorted(lost)[:5]}"

    # A plain client's own retries may stand in the stream twice; each such record is delivered once as well.
    expected = collections.Counter(stored)
    eventually(lambda: len(aws.delivered_lines(collector)) >= len(stored), 90, 0.5, "every record is in a file")
    time.sleep(2)
    found = collections.Counter(aws.delivered_lines(collector))
    assert found == expected, (
        f"files, seed {seed}: {sum((expected - found).values())} lost, {sum((found - expected).values())} too many: "
        f"{list((expected - found).items())[:5]} {list((found - expected).items())[:5]}"
    )

    def all_handled():
        return set(stored) <= set(handled.read_text().splitlines())

    eventually(all_handled, 90, 0.5, "the worker has handled every record")
    print(
        f"seed {seed}: {kills} kills; {len(log.lines)} lines, {len(log.lines)} in the stream once; "
        f"{len(putter.acked)} acknowledged puts; {len(stored)} records in files once; "
        f"{len(handled.read_text().splitlines())} handled",
        file=sys.__stderr__,
        flush=True,
    )
