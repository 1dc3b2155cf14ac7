"""One collector for the whole suite, without limits and with quick changes; every test has streams of its own."""

import itertools
import secrets
import subprocess

import pytest

pytest.register_assert_rewrite("checks")

import aws
import java
import shapes
from programs import Collector, eventually

QUICK = ("--limits", "none", "--transition-millis", "20")
numbers = itertools.count(1)


# The id of a key, and the names of others.
KEY_ID = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"
KEY_NAMES = ("mine", "gone", "gone.disabled")


def with_keys(collector):
    """Adds encryption keys to those that the collector makes itself."""
    keys = collector.data / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    for name in (KEY_ID, *KEY_NAMES):
        keys.joinpath(name).touch(mode=0o600)
        keys.joinpath(name).write_text(secrets.token_hex(32))
    return collector


def running(folder, *extra):
    collector = Collector(folder, extra=[*QUICK, *extra]).start()
    yield with_keys(collector)
    collector.kill9()


@pytest.fixture(scope="session")
def collector(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def tls_collector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    for collector in running(folder, "--tls-cert", certificate, "--tls-key", key):
        collector.certificate = str(certificate)
        yield collector


@pytest.fixture(params=["cleartext", "tls"])
def either(request):
    """Each test that takes it runs over cleartext and over TLS."""
    return request.getfixturevalue({"cleartext": "collector", "tls": "tls_collector"}[request.param])


@pytest.fixture
def own_collector(stage):
    """A collector of the test's own, for what counts over the whole account."""
    return with_keys(stage.collector(extra=QUICK))


def watched(collector, **keys):
    """A boto3 client whose every answer is checked against the model."""
    return shapes.watch(aws.client("kinesis", collector, **keys))


@pytest.fixture(scope="session")
def kinesis(collector):
    return watched(collector)


@pytest.fixture(scope="session")
def unchecked(collector):
    """A boto3 client that sends what it is given, right or not."""
    return watched(collector, validate=False)


class Streams:
    """Makes streams; they are deleted when the test is over."""

    def __init__(self, kinesis):
        self.kinesis = kinesis
        self.names = []

    def name(self):
        name = f"stream-{next(numbers):04}"
        self.names.append(name)
        return name

    def create(self, shards=1, **keys):
        name = self.name()
        if shards:
            keys["ShardCount"] = shards
        self.kinesis.create_stream(StreamName=name, **keys)
        self.active(name)
        return name

    def arn(self, name):
        return self.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]

    def summary(self, name):
        return self.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

    def active(self, name):
        eventually(lambda: self.summary(name)["StreamStatus"] == "ACTIVE", 20, 0.01, f"{name} is ACTIVE")

    def split(self, name, shard, at):
        self.kinesis.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=str(at))
        self.active(name)

    def merge(self, name, one, two):
        self.kinesis.merge_shards(StreamName=name, ShardToMerge=one, AdjacentShardToMerge=two)
        self.active(name)

    def close(self):
        for name in self.names:
            try:
                self.kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
            except self.kinesis.exceptions.ResourceNotFoundException:
                pass


@pytest.fixture
def streams(kinesis):
    streams = Streams(kinesis)
    yield streams
    streams.close()


@pytest.fixture
def stream(streams):
    """A stream of one shard."""
    return streams.create()


@pytest.fixture
def consumer(kinesis, streams):
    """Registers a consumer and waits until it is ACTIVE: `consumer(stream, "name")` is its ARN."""

    def register(stream, name):
        arn = streams.arn(stream)
        consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)["Consumer"]["ConsumerARN"]

        def active():
            answer = kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]
            return answer["ConsumerStatus"] == "ACTIVE"

        eventually(active, 10, 0.01, "the consumer is ACTIVE")
        return consumer

    return register


@pytest.fixture(scope="session")
def class_path(tmp_path_factory):
    """The Java programs, compiled."""
    return java.compile_into(tmp_path_factory.mktemp("classes"))
