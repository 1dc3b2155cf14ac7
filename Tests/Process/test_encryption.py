"""Encryption at rest: what stands on the disk, keys that come, change, go and come back, and kills in between."""

import os
import random
import secrets
import shutil
import sys
import threading
import time

import botocore.exceptions
import pytest

import aws
from programs import BINARIES, eventually, run_program

COLLECTOR = BINARIES / "millrace-collector"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


class Keys:
    """A folder of keys as an operator keeps one."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o700)

    def put(self, name, content=None, mode=0o600):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32) if content is None else content)
        path.chmod(mode)
        return path


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path / "keys")


@pytest.fixture
def keyed(stage, keys):
    """A collector that takes its keys from the folder."""
    return stage.collector(extra=["--encryption-keys", keys.folder])


def encrypt(kinesis, stream, key):
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    aws.wait_active(kinesis, stream)


def refusal(call, *arguments, **keywords):
    """The code and the status that a call is refused with; None when it is not."""
    try:
        call(*arguments, **keywords)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


def secret(tag):
    """A text that no other bytes hold by chance."""
    return f"{tag}-{secrets.token_hex(12)}"


def put(kinesis, stream, texts):
    answer = kinesis.put_records(
        StreamName=stream, Records=[{"Data": text, "PartitionKey": "key-of-" + text} for text in texts]
    )
    assert answer["FailedRecordCount"] == 0
    return answer


def on_disk(folder, text):
    """The files that hold the text."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_nothing_of_a_record_stands_on_the_disk_once_its_stream_is_encrypted(stage, collector, kinesis):
    aws.create_stream(kinesis, "s", 2)
    before = secret("before")
    assert "EncryptionType" not in put(kinesis, "s", [before])
    encrypt(kinesis, "s", "alias/aws/kinesis")
    summary = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", "alias/aws/kinesis")

    texts = [secret("secret") for _ in range(40)]
    assert put(kinesis, "s", texts)["EncryptionType"] == "KMS"
    single = secret("single")
    assert kinesis.put_record(StreamName="s", Data=single, PartitionKey="k")["EncryptionType"] == "KMS"
    large = secret("large") + "x" * 900_000
    kinesis.put_record(StreamName="s", Data=large, PartitionKey="k")

    reader = aws.StreamReader(kinesis, "s").read()
    reader.check_order()
    assert sorted(reader.texts) == sorted([before, single, large, *texts])
    for record in (record for records in reader.records.values() for record in records):
        expected = None if record["Data"].decode() == before else "KMS"
        assert record.get("EncryptionType") == expected

    key = collector.data / "keys" / "aws" / "kinesis"
    assert key.stat().st_mode & 0o777 == 0o600
    collector.stop()
    assert on_disk(collector.data / "log", before), "what was plain before stays so"
    for text in [single, large[:30], *texts]:
        assert not on_disk(collector.data, text), text
    assert "secret-" not in collector.err.read_text() and key.read_text().strip() not in collector.err.read_text()

    collector.start()
    assert sorted(aws.StreamReader(kinesis, "s").read().texts) == sorted([before, single, large, *texts])


def test_encryption_can_change_its_key_and_end_while_records_are_written(keys, keyed):
    keys.put("one")
    keys.put(KEY_ID)
    kinesis = aws.client("kinesis", keyed)
    aws.create_stream(kinesis, "s")
    expected = []
    arn = f"arn:aws:kms:us-east-1:000000000000:key/{KEY_ID}"
    for key in [None, "alias/one", KEY_ID, arn, "arn:aws:kms:us-east-1:000000000000:alias/one", None]:
        if key:
            encrypt(kinesis, "s", key)
        elif expected:
            kinesis.stop_stream_encryption(StreamName="s", EncryptionType="KMS", KeyId="alias/one")
            aws.wait_active(kinesis, "s")
        texts = [secret("text") for _ in range(3)]
        assert put(kinesis, "s", texts).get("EncryptionType") == ("KMS" if key else None)
        expected += texts
    assert aws.StreamReader(kinesis, "s").read().texts == expected
    keyed.restart()
    assert aws.StreamReader(kinesis, "s").read().texts == expected
    assert "EncryptionType" in kinesis.describe_stream(StreamName="s")["StreamDescription"]


def test_a_new_version_of_a_key_is_used_without_a_restart_and_the_old_ones_still_read(keys, keyed):
    old = keys.put("orders")
    kinesis = aws.client("kinesis", keyed)
    aws.create_stream(kinesis, "s")
    encrypt(kinesis, "s", "alias/orders")
    put(kinesis, "s", ["old"])
    keys.put("orders.2", secrets.token_hex(32).encode() + b"\n")

    def fingerprints():
        """How many of the frames were written with another version: their key's fingerprint is in their head."""
        put(kinesis, "s", ["more"])
        # New frames stand in the journal first.
        files = [*(keyed.data / "log").rglob("*.log"), *(keyed.data / "log").rglob("*.journal")]
        log = b"".join(path.read_bytes() for path in files)
        heads = log.split(b"KSF1")[1:]
        return len({head[68:84] for head in heads})

    eventually(lambda: fingerprints() == 2, 10, 0.2, "the new version writes")
    texts = aws.StreamReader(kinesis, "s").read().texts
    assert texts[0] == "old" and set(texts[1:]) == {"more"}

    keyed.restart()
    assert aws.StreamReader(kinesis, "s").read().texts == texts
    moved = old.rename(keys.folder.parent / "away")
    eventually(lambda: refusal(aws.read_shard, kinesis, "s", "shardId-000000000000"), 5, 0.1, "the old version is missed")
    put(kinesis, "s", ["last"])
    shutil.move(moved, old)
    texts.append("last")
    eventually(lambda: not refusal(aws.read_shard, kinesis, "s", "shardId-000000000000"), 5, 0.1, "it is back")
    assert aws.StreamReader(kinesis, "s").read().texts == texts


def test_a_key_that_is_missing_disabled_or_open_to_others_stops_the_stream_and_loses_nothing(keys, keyed):
    key = keys.put("orders")
    content = key.read_bytes()
    kinesis = aws.client("kinesis", keyed)
    aws.create_stream(kinesis, "s")
    aws.create_stream(kinesis, "plain")
    assert refusal(encrypt, kinesis, "s", "alias/none") == ("KMSNotFoundException", 400)
    assert refusal(encrypt, kinesis, "s", "orders") == ("InvalidArgumentException", 400)
    assert refusal(encrypt, kinesis, "s", "alias/aws/kinesis") == ("KMSNotFoundException", 400)
    encrypt(kinesis, "s", "alias/orders")
    texts = [secret("kept") for _ in range(5)]
    put(kinesis, "s", texts)

    def gone():
        key.unlink()
        return lambda: keys.put("orders", content)

    def disabled():
        marker = keys.put("orders.disabled", b"")
        return marker.unlink

    def opened():
        key.chmod(0o644)
        return lambda: key.chmod(0o600)

    refused = []

    def stopped(code):
        """Puts a record; true when it is refused with the code. What was put before the trouble is noticed is stored."""
        text = secret("probe")
        found = refusal(put, kinesis, "s", [text])
        (refused if found else texts).append(text)
        return found == (code, 400)

    for trouble, code in [
        (gone, "KMSNotFoundException"),
        (disabled, "KMSDisabledException"),
        (opened, "KMSAccessDeniedException"),
    ]:
        repair = trouble()
        eventually(lambda: stopped(code), 5, 0.1, f"a put meets {code}")
        assert refusal(kinesis.put_record, StreamName="s", Data="refused", PartitionKey="k") == (code, 400)
        assert refusal(aws.read_shard, kinesis, "s", "shardId-000000000000") == (code, 400)
        # Everything that needs no key goes on, also over a restart.
        keyed.restart()
        assert len(aws.list_shards(kinesis, "s")) == 1
        put(kinesis, "plain", ["plain"])
        assert stopped(code)
        repair()
        eventually(lambda: not stopped(code), 5, 0.1, "puts go on")
        assert aws.StreamReader(kinesis, "s").read().texts == texts
    assert len(refused) >= 6 and not set(refused) & set(texts)


def test_delivery_waits_for_a_missing_key_and_then_delivers_every_record_once(keys, keyed):
    key = keys.put("orders")
    kinesis, firehose = aws.client("kinesis", keyed), aws.client("firehose", keyed)
    aws.create_stream(kinesis, "s")
    encrypt(kinesis, "s", "alias/orders")
    aws.create_delivery_stream(firehose, "files", source="s")
    first, second = [secret("a") for _ in range(20)], [secret("b") for _ in range(20)]
    put(kinesis, "s", [text + "\n" for text in first])
    eventually(lambda: len(aws.delivered_lines(keyed)) == 20, 20, 0.1, "the first records are in files")
    put(kinesis, "s", [text + "\n" for text in second])
    away = key.rename(keys.folder.parent / "away")
    keyed.restart()
    told = "KMSNotFoundException: Alias arn:aws:kms:us-east-1:000000000000:alias/orders is not found."
    eventually(lambda: told in keyed.err.read_text(), 10, 0.1, "delivery says which key it waits for")
    shutil.move(away, key)
    eventually(lambda: len(aws.delivered_lines(keyed)) >= 40, 30, 0.1, "the others follow when the key is back")
    aws.expect_exactly_once(first + second, aws.delivered_lines(keyed), "files")


def test_subscribers_get_encrypted_records_opened_and_hear_of_a_missing_key(keys, keyed):
    key = keys.put("orders")
    kinesis = aws.client("kinesis", keyed)
    aws.create_stream(kinesis, "s")
    put(kinesis, "s", ["plain"])
    encrypt(kinesis, "s", "alias/orders")
    put(kinesis, "s", ["secret"])
    arn = kinesis.register_stream_consumer(StreamARN=aws.stream_arn("s"), ConsumerName="c")["Consumer"]["ConsumerARN"]

    def active():
        return kinesis.describe_stream_consumer(ConsumerARN=arn)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE"

    def subscribe(count):
        """The data and encryption of the first records; stops there, or at an error."""
        events = kinesis.subscribe_to_shard(
            ConsumerARN=arn, ShardId="shardId-000000000000", StartingPosition={"Type": "TRIM_HORIZON"}
        )["EventStream"]
        records = []
        try:
            for event in events:
                records += event["SubscribeToShardEvent"]["Records"]
                if len(records) >= count:
                    break
        except botocore.exceptions.EventStreamError as error:
            records.append(error.response["Error"]["Code"])
        events.close()
        return [r if isinstance(r, str) else (r["Data"], r.get("EncryptionType")) for r in records]

    eventually(active, 10, what="the consumer is ACTIVE")
    assert subscribe(2) == [(b"plain", None), (b"secret", "KMS")]
    content = key.read_bytes()
    key.unlink()
    time.sleep(6)  # AWS lets a consumer subscribe to a shard again after 5 s
    assert subscribe(2) == [(b"plain", None), "KMSNotFoundException"]
    keys.put("orders", content)
    time.sleep(6)
    assert subscribe(2) == [(b"plain", None), (b"secret", "KMS")]


def test_kills_lose_no_record_of_an_encrypted_stream_and_leave_none_readable(stage, keys):
    seed = os.environ.get("MILLRACE_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"MILLRACE_SEED={seed}", file=sys.__stderr__, flush=True)
    chance = random.Random(seed)
    keys.put("orders")
    collector = stage.collector(extra=["--encryption-keys", keys.folder])
    kinesis = aws.client("kinesis", collector, read_timeout=5)
    aws.create_stream(kinesis, "s", 2)
    encrypt(kinesis, "s", "alias/orders")
    acked, tried = [], []

    def attempt(client, texts):
        tried.extend(texts)
        try:
            put(client, "s", texts)
            acked.extend(texts)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            pass

    for round in range(12):
        for batch in range(chance.randrange(1, 12)):
            attempt(kinesis, [secret(f"r{round}b{batch}n{n}") for n in range(chance.randrange(1, 60))])
        if round % 4 == 3:
            keys.put(f"orders.{round}")
        texts = [secret(f"r{round}last{n}") for n in range(200)]
        last = threading.Thread(target=attempt, args=(aws.client("kinesis", collector, read_timeout=5), texts))
        last.start()
        time.sleep(chance.uniform(0, 0.03))
        collector.restart()
        last.join()
    found = aws.StreamReader(kinesis, "s").read()
    found.check_order()
    texts = found.texts
    assert not set(acked) - set(texts), f"seed {seed}: acknowledged records are gone"
    assert set(texts) <= set(tried) and len(texts) == len(set(texts)), f"seed {seed}"
    collector.stop()
    stored = b"".join(path.read_bytes() for path in collector.data.rglob("*") if path.is_file())
    assert not [text for text in tried if text.encode() in stored], f"seed {seed}"


def test_keys_are_explained_and_their_mistakes_told_before_anything_runs(keys, tmp_path):
    keys.put("orders")
    keys.put("orders.2")
    keys.put("team/billing.disabled", b"")
    arguments = ["check", "--data-dir", tmp_path / "data", "--encryption-keys"]
    result = run_program(COLLECTOR, [*arguments, keys.folder], {})
    assert result.returncode == 0, result.stderr
    assert "alias/orders: 2 versions, newest " in result.stdout and "alias/team/billing: " in result.stdout
    path = keys.put("loose", mode=0o644)
    result = run_program(COLLECTOR, [*arguments, keys.folder], {})
    assert result.returncode == 78 and f"{path}: mode 0644" in result.stderr
    result = run_program(COLLECTOR, [*arguments, tmp_path / "nowhere"], {})
    assert result.returncode == 78 and "--encryption-keys" in result.stderr
