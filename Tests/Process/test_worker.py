"""Workers share a stream's shards, take over from each other, and checkpoint only what the command has finished."""

import collections
import pathlib
import sys
import time

import pytest

import aws
from programs import eventually

HANDLER = pathlib.Path(__file__).with_name("handler.py")
NO_SHARD_YET = {"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"}


class Application:
    """One application on the stream `app`: its workers, its lease table, and what its command wrote."""

    def __init__(self, stage, collector, dynamodb, tmp_path):
        self.stage, self.collector, self.dynamodb = stage, collector, dynamodb
        self.output = tmp_path / "handled"
        self.broken = tmp_path / "broken"

    def worker(self, tag, *more, **keys):
        command = [sys.executable, HANDLER, self.output, "--tag", tag, "--fail-while", self.broken, *more]
        extra = ["--worker-id", tag, "--failover-milliseconds", "3000"]
        return self.stage.worker(self.collector, "app", "app", command, name=f"millrace-worker-{tag}", extra=extra, **keys)

    @property
    def leases(self):
        """{shard: row} of the lease table; {} before it is made."""
        try:
            rows = self.dynamodb.scan(TableName="app", ConsistentRead=True)["Items"]
        except self.dynamodb.exceptions.ResourceNotFoundException:
            return {}
        return {row["leaseKey"]["S"]: row for row in rows if row["leaseKey"]["S"].startswith("shardId-")}

    @property
    def owners(self):
        """How many shards each worker holds."""
        return collections.Counter(row["leaseOwner"]["S"] for row in self.leases.values() if "leaseOwner" in row)

    def checkpoint(self, shard):
        return self.leases[shard]["checkpoint"]["S"]

    @property
    def handled(self):
        """(worker, shard, text) in the order in which the command finished them."""
        if not self.output.exists():
            return []
        return [tuple(line.split("\t")) for line in self.output.read_text().splitlines() if line]

    @property
    def texts(self):
        return [text for _, _, text in self.handled]


@pytest.fixture
def application(stage, collector, dynamodb, tmp_path):
    return Application(stage, collector, dynamodb, tmp_path)


def put(kinesis, texts):
    for start in range(0, len(texts), 500):
        entries = [{"Data": f"{text}\n".encode(), "PartitionKey": text} for text in texts[start : start + 500]]
        assert kinesis.put_records(StreamName="app", Records=entries)["FailedRecordCount"] == 0


def numbered(name, count):
    return [f"{name} {n}" for n in range(count)]


def test_one_worker_handles_every_record_once_and_checkpoints_the_last(application, kinesis):
    aws.create_stream(kinesis, "app", 3)
    texts = numbered("record", 3000)
    put(kinesis, texts)
    worker = application.worker("one").start()
    eventually(lambda: len(application.texts) >= len(texts), 30, what="every record is handled")
    aws.expect_exactly_once(texts, application.texts, "the command's output")
    for shard in aws.list_shards(kinesis, "app"):
        records = aws.read_shard(kinesis, "app", shard["ShardId"])
        last = records[-1]["SequenceNumber"]
        eventually(lambda: application.checkpoint(shard["ShardId"]) == last, 15, what="the checkpoint is the last record")
        handled = [text for _, at, text in application.handled if at == shard["ShardId"]]
        assert handled == [record["Data"].decode().strip() for record in records], "the order of a shard"
    eventually(lambda: worker.read_stats().get("recordsHandled") == len(texts), 10, what="the stats file counts them")
    assert worker.read_stats()["shardsOwned"] == 3
    assert worker.stop() == 0
    again = application.worker("two").start()
    put(kinesis, ["later"])
    eventually(lambda: "later" in application.texts, 30, what="the next worker goes on")
    assert application.texts[len(texts) :] == ["later"], "records were handled again after a clean stop"
    assert again.stop() == 0


def test_two_workers_share_and_the_survivor_takes_over(application, kinesis):
    aws.create_stream(kinesis, "app", 4)
    first = application.worker("one").start()
    eventually(lambda: application.owners == {"one": 4}, 30, what="the first worker holds all")
    second = application.worker("two").start()
    eventually(lambda: application.owners == {"one": 2, "two": 2}, 60, what="the two share evenly")
    put(kinesis, numbered("shared", 1000))
    eventually(lambda: set(application.texts) == set(numbered("shared", 1000)), 30, what="all are handled")
    assert {worker for worker, _, _ in application.handled} == {"one", "two"}

    first.kill9()
    put(kinesis, numbered("orphaned", 1000))
    eventually(lambda: application.owners == {"two": 4}, 60, what="the survivor holds all")
    eventually(lambda: set(numbered("orphaned", 1000)) <= set(application.texts), 30, what="all are handled")
    second.expect_running()


def test_children_begin_when_their_parent_is_handled_to_its_end(application, kinesis):
    aws.create_stream(kinesis, "app")
    put(kinesis, numbered("before", 400))
    kinesis.split_shard(StreamName="app", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    aws.wait_active(kinesis, "app")
    put(kinesis, numbered("after", 400))
    kinesis.merge_shards(
        StreamName="app", ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002"
    )
    aws.wait_active(kinesis, "app")
    put(kinesis, numbered("merged", 400))
    application.worker("one", "--sleep", "0.02").start()
    eventually(lambda: len(application.texts) >= 1200, 90, what="every record is handled")
    generations = [text.split()[0] for text in application.texts]
    assert generations == ["before"] * 400 + ["after"] * 400 + ["merged"] * 400
    eventually(
        lambda: [application.checkpoint(f"shardId-{n:012}") for n in range(3)] == ["SHARD_END"] * 3,
        20,
        what="the closed shards are at SHARD_END",
    )


def test_a_split_under_load_keeps_every_record(application, kinesis):
    aws.create_stream(kinesis, "app", 2)
    application.worker("one").start()
    application.worker("two").start()
    texts = []
    for turn in range(10):
        batch = numbered(f"turn-{turn}", 200)
        put(kinesis, batch)
        texts += batch
        if turn == 3:
            kinesis.split_shard(StreamName="app", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
            aws.wait_active(kinesis, "app")
        time.sleep(0.2)
    eventually(lambda: set(application.texts) == set(texts), 90, what="every record is handled")


def test_a_failing_command_holds_the_checkpoint_and_is_tried_again(application, kinesis):
    aws.create_stream(kinesis, "app")
    application.broken.touch()
    put(kinesis, numbered("held", 50))
    worker = application.worker("one").start()
    eventually(lambda: application.owners == {"one": 1}, 30, what="the worker holds the shard")
    time.sleep(4)
    worker.expect_running()
    assert application.checkpoint("shardId-000000000000") in NO_SHARD_YET
    assert application.texts == []
    application.broken.unlink()
    eventually(lambda: application.texts == numbered("held", 50), 60, what="the command gets them again, in order")
    last = aws.read_shard(kinesis, "app", "shardId-000000000000")[-1]["SequenceNumber"]
    eventually(lambda: application.checkpoint("shardId-000000000000") == last, 20, what="the checkpoint moves")


def test_a_worker_that_is_killed_in_a_batch_has_it_handled_again(application, kinesis):
    aws.create_stream(kinesis, "app")
    put(kinesis, numbered("slow", 20))
    first = application.worker("one", "--sleep", "30").start()
    eventually(lambda: application.owners == {"one": 1}, 30, what="the worker holds the shard")
    time.sleep(2)
    first.kill9()
    assert application.texts == []
    application.worker("two").start()
    eventually(lambda: application.texts == numbered("slow", 20), 60, what="the other worker handles them")


def test_files_of_a_worker_hold_each_record_once_over_kills(stage, collector, kinesis, tmp_path):
    aws.create_stream(kinesis, "app", 2)
    folder = tmp_path / "files"
    extra = ["--sink-dir", folder, "--worker-id", "one", "--failover-milliseconds", "2000"]
    worker = stage.worker(collector, "files", "app", extra=extra).start()
    texts = []
    for turn in range(6):
        batch = numbered(f"turn-{turn}", 500)
        put(kinesis, batch)
        texts += batch
        time.sleep(1.0)
        worker.kill9()
        worker.start()

    def found():
        lines = []
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden:
                lines += path.read_text().splitlines()
        return lines

    eventually(lambda: len(found()) >= len(texts), 90, 0.5, "every record is in a file")
    time.sleep(3)
    aws.expect_exactly_once(texts, [aws.text_of_line(line) for line in found()], "the worker's files")


def test_mistakes_on_the_command_line_are_named(stage, collector):
    worker = stage.worker(collector, "app", "app", ["/no/such/command"]).start()
    assert worker.process.wait(20) in (64, 78)
    assert "/no/such/command" in worker.tail()
    unknown = stage.worker(collector, "app", "no-such-stream", ["cat"], name="millrace-worker-2").start()
    eventually(lambda: "no-such-stream" in unknown.tail(), 20, what="the worker names the stream that is not there")


def test_a_stream_made_anew_is_read_from_its_beginning(application, kinesis):
    aws.create_stream(kinesis, "app", 1)
    worker = application.worker("one").start()
    eventually(lambda: application.owners == {"one": 1}, 30, what="the worker holds the shard")
    time.sleep(1)
    aws.delete_stream(kinesis, "app")
    aws.create_stream(kinesis, "app", 1)
    texts = numbered("record", 20)
    put(kinesis, texts)
    eventually(lambda: len(application.texts) >= 20, 30, what="the new stream's records are handled")
    aws.expect_exactly_once(texts, application.texts, "the command's output")
    worker.expect_running()

    # And when nobody was there: the old stream's shard was finished.
    kinesis.split_shard(StreamName="app", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    eventually(lambda: application.checkpoint("shardId-000000000000") == "SHARD_END", 30, what="the parent is finished")
    assert worker.stop() == 0
    aws.delete_stream(kinesis, "app")
    aws.create_stream(kinesis, "app", 1)
    more = numbered("anew", 20)
    put(kinesis, more)
    application.worker("two").start()
    eventually(lambda: len(application.texts) >= 40, 60, what="the newest stream's records are handled")
    aws.expect_exactly_once(texts + more, application.texts, "the command's output")


def test_latest_means_the_same_moment_to_every_owner_before_the_first_checkpoint(application, kinesis):
    aws.create_stream(kinesis, "app", 1)
    put(kinesis, numbered("before", 5))
    time.sleep(0.1)
    application.broken.touch()
    first = application.worker("one")
    second = application.worker("two")
    for worker in (first, second):
        worker.arguments[worker.arguments.index("TRIM_HORIZON")] = "LATEST"
    first.start()
    eventually(lambda: application.owners == {"one": 1}, 30, what="the worker holds the shard")
    texts = numbered("record", 10)
    put(kinesis, texts)
    eventually(lambda: "handling records failed" in first.tail(400) or "attempt" in first.tail(400), 30,
               what="the command fails")
    first.kill9()
    application.broken.unlink()
    second.start()
    eventually(lambda: len(application.texts) >= 10, 30, what="the second worker handles what the first had read")
    aws.expect_exactly_once(texts, application.texts, "the command's output")
