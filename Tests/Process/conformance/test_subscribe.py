"""SubscribeToShard over HTTP/1.1, with boto3 and as bytes: positions, events, the end of a shard, one connection per
consumer and shard."""

import http.client
import json
import ssl
import threading
import time
import urllib.parse

import botocore.eventstream
import pytest

import aws
import shapes
import wire
from checks import MIDDLE, SHARD, breaks, one_of, refused, shard_id
from conftest import watched
from programs import eventually


class Subscription:
    """A subscription whose events a thread of its own reads."""

    def __init__(self, kinesis, consumer, shard=SHARD, **position):
        answer = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition=position)
        self.stream = answer["EventStream"]
        self.events = []
        self.error = None
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for event in self.stream:
                self.events.append((time.monotonic(), event["SubscribeToShardEvent"]))
        except Exception as error:
            self.error = error

    @property
    def records(self):
        return [record for _, event in list(self.events) for record in event["Records"]]

    @property
    def data(self):
        return [record["Data"] for record in self.records]

    @property
    def last(self):
        return self.events[-1][1]

    def wait(self, condition, what, timeout=10):
        eventually(lambda: condition(self), timeout, 0.005, what)
        return self

    def wait_for(self, count):
        return self.wait(lambda it: len(it.records) >= count, f"{count} records")

    def wait_end(self):
        self.thread.join(10)
        assert not self.thread.is_alive(), "the subscription does not end"
        return self


@pytest.fixture
def subscribe(kinesis):
    """Subscriptions that end when the test is over."""
    subscriptions = []

    def start(consumer, *arguments, **position):
        subscriptions.append((consumer, Subscription(kinesis, consumer, *arguments, **position)))
        return subscriptions[-1][1]

    yield start
    # Closing waits for the next event; a consumer that goes ends its subscriptions.
    for consumer in {consumer for consumer, _ in subscriptions}:
        try:
            kinesis.deregister_stream_consumer(ConsumerARN=consumer)
        except kinesis.exceptions.ResourceNotFoundException:
            pass
    for _, subscription in subscriptions:
        subscription.wait_end().stream.close()


def put(kinesis, name, start, stop):
    return [kinesis.put_record(StreamName=name, Data=b"%d" % index, PartitionKey="k") for index in range(start, stop)]


def numbers(start, stop):
    return [b"%d" % index for index in range(start, stop)]


def test_each_position_starts_where_it_says_and_goes_on(kinesis, stream, consumer, subscribe):
    puts = put(kinesis, stream, 0, 5)
    first = kinesis.list_shards(StreamName=stream)["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"]
    number = puts[2]["SequenceNumber"]
    begun = [
        (subscribe(consumer(stream, f"c{index}"), **position), start)
        for index, (position, start) in enumerate(
            [
                ({"Type": "TRIM_HORIZON"}, 0),
                ({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": number}, 2),
                ({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}, 3),
                ({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": first}, 0),
                ({"Type": "AT_TIMESTAMP", "Timestamp": int(time.time()) - 60}, 0),
                ({"Type": "LATEST"}, 5),
            ]
        )
    ]
    put(kinesis, stream, 5, 8)
    for subscription, start in begun:
        assert subscription.wait_for(8 - start).data == numbers(start, 8)
        assert subscription.last["MillisBehindLatest"] == 0
        for _, event in subscription.events:
            assert event["ContinuationSequenceNumber"] and "ChildShards" not in event
    records = aws.read_shard(kinesis, stream, SHARD)
    assert begun[0][0].records == records


def test_a_record_is_pushed_at_once(kinesis, stream, consumer, subscribe):
    subscription = subscribe(consumer(stream, "reader"), Type="LATEST")
    times = []
    for index in range(20):
        begun = time.monotonic()
        put(kinesis, stream, index, index + 1)
        subscription.wait_for(index + 1)
        times.append(subscription.events[-1][0] - begun)
    # Generous, for busy machines: a poll every 200 ms could not do it.
    assert sorted(times)[10] < 0.1, times


def test_the_end_of_a_split_shard_is_its_last_event(kinesis, streams, stream, consumer, subscribe):
    put(kinesis, stream, 0, 3)
    subscription = subscribe(consumer(stream, "before"), Type="TRIM_HORIZON").wait_for(3)
    streams.split(stream, SHARD, MIDDLE)
    after = subscribe(consumer(stream, "after"), Type="TRIM_HORIZON")
    at_end = subscribe(consumer(stream, "latest"), Type="LATEST")
    for ended, data in [(subscription, numbers(0, 3)), (after, numbers(0, 3)), (at_end, [])]:
        assert ended.wait_end().error is None
        assert ended.data == data
        # KCL: no continuation means that the shard is finished, and then there must be children.
        assert "ContinuationSequenceNumber" not in ended.last
        children = [(child["ShardId"], child["ParentShards"]) for child in ended.last["ChildShards"]]
        assert children == [(shard_id(1), [SHARD]), (shard_id(2), [SHARD])]
        ranges = [child["HashKeyRange"]["StartingHashKey"] for child in ended.last["ChildShards"]]
        assert ranges == ["0", MIDDLE]
        for _, event in ended.events[:-1]:
            assert event["ContinuationSequenceNumber"] and "ChildShards" not in event


def test_the_end_of_a_merged_shard_names_both_parents(streams, consumer, subscribe):
    name = streams.create(2)
    one = consumer(name, "reader")
    both = [subscribe(one, shard_id(index), Type="LATEST") for index in range(2)]
    streams.merge(name, shard_id(0), shard_id(1))
    for ended in both:
        [child] = ended.wait_end().last["ChildShards"]
        assert (child["ShardId"], child["ParentShards"]) == (shard_id(2), [shard_id(0), shard_id(1)])
        assert "ContinuationSequenceNumber" not in ended.last


def test_a_subscription_continues_where_the_last_one_stopped(kinesis, stream, consumer, subscribe):
    put(kinesis, stream, 0, 50)
    first = subscribe(consumer(stream, "one"), Type="TRIM_HORIZON").wait_for(50)
    events = list(first.events)
    put(kinesis, stream, 50, 60)
    for index, event in enumerate([events[0][1], events[-1][1]]):
        seen = len(event["Records"]) if index == 0 else 50
        position = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": event["ContinuationSequenceNumber"]}
        second = subscribe(consumer(stream, f"next{index}"), **position)
        assert second.wait_for(60 - seen).data == numbers(seen, 60)


def test_many_records_come_in_order(kinesis, stream, consumer, subscribe):
    subscription = subscribe(consumer(stream, "reader"), Type="LATEST")
    for batch in range(20):
        entries = [{"Data": b"%d" % (batch * 250 + index), "PartitionKey": "k"} for index in range(250)]
        kinesis.put_records(StreamName=stream, Records=entries)
    assert subscription.wait_for(5000).data == numbers(0, 5000)
    large = bytes(range(256)) * 4000
    kinesis.put_record(StreamName=stream, Data=large, PartitionKey="k")
    assert subscription.wait_for(5001).data[-1] == large


def test_records_of_an_encrypted_stream_say_so(kinesis, streams, stream, consumer, subscribe):
    put(kinesis, stream, 0, 2)
    subscription = subscribe(consumer(stream, "reader"), Type="TRIM_HORIZON")
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    streams.active(stream)
    put(kinesis, stream, 2, 4)
    assert subscription.wait_for(4).data == numbers(0, 4)
    assert [record.get("EncryptionType", "NONE") for record in subscription.records] == ["NONE"] * 2 + ["KMS"] * 2


def test_a_second_subscription_waits_five_seconds_and_then_takes_over(kinesis, stream, consumer, subscribe):
    """And a silent shard says every five seconds, at most, that it is silent."""
    reader = consumer(stream, "reader")
    begun = time.monotonic()
    first = subscribe(reader, Type="LATEST")
    keys = {"ConsumerARN": reader, "ShardId": SHARD, "StartingPosition": {"Type": "LATEST"}}
    refused("ResourceInUseException", kinesis.subscribe_to_shard, **keys)
    time.sleep(2)
    refused("ResourceInUseException", kinesis.subscribe_to_shard, **keys)
    put(kinesis, stream, 0, 1)
    first.wait_for(1)
    time.sleep(max(0, begun + 5.3 - time.monotonic()))
    assert first.thread.is_alive()
    heartbeats = [at - begun for at, event in first.events if not event["Records"]]
    assert heartbeats and max(b - a for a, b in zip([0, *[at - begun for at, _ in first.events]], heartbeats)) < 5.5
    second = subscribe(reader, Type="TRIM_HORIZON")
    assert second.wait_for(1).data == numbers(0, 1)
    first.wait_end()
    assert first.error is None or "ResourceInUseException" in str(first.error), first.error
    put(kinesis, stream, 1, 2)
    second.wait_for(2)
    assert len(first.data) == 1


def test_a_deregistered_consumers_subscription_ends(kinesis, stream, consumer, subscribe):
    reader = consumer(stream, "reader")
    subscription = subscribe(reader, Type="LATEST")
    kinesis.deregister_stream_consumer(ConsumerARN=reader)
    subscription.wait_end()


def test_a_deleted_streams_subscriptions_end(kinesis, stream, consumer, subscribe):
    subscription = subscribe(consumer(stream, "reader"), Type="LATEST")
    kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
    subscription.wait_end()


def test_refusals_come_before_the_stream_starts(unchecked, streams, stream, consumer, subscribe):
    reader = consumer(stream, "reader")
    arn = streams.arn(stream)

    def refuse(code, message=None, **keys):
        keys = {"ConsumerARN": reader, "ShardId": SHARD, "StartingPosition": {"Type": "LATEST"}, **keys}
        return refused(code, unchecked.subscribe_to_shard, message, **keys)

    refuse("ResourceNotFoundException", ShardId=shard_id(9))
    refuse("ResourceNotFoundException", ConsumerARN=f"{arn}/consumer/nobody:1700000000")
    refuse("ResourceNotFoundException", ConsumerARN=f"{arn}-none/consumer/nobody:1700000000")
    refuse("ValidationException", ConsumerARN=arn)
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"):
        refuse("InvalidArgumentException", StartingPosition={"Type": kind})
    refuse("InvalidArgumentException", StartingPosition={"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "9" * 60})
    types = one_of("AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON")
    refuse("ValidationException", {breaks("X", "startingPosition.type", types)}, StartingPosition={"Type": "X"})
    refuse("ValidationException", StartingPosition={})
    # None of them counted as a subscription.
    subscribe(reader, Type="LATEST")


def test_only_an_active_consumer_subscribes(stage):
    collector = stage.collector(extra=["--limits", "none", "--transition-millis", "600"])
    kinesis = watched(collector)
    kinesis.create_stream(StreamName="s", ShardCount=1)
    aws.wait_active(kinesis, "s")
    arn = aws.stream_arn("s")
    answer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]
    message = refused(
        "ResourceInUseException",
        kinesis.subscribe_to_shard,
        ConsumerARN=answer["ConsumerARN"],
        ShardId=SHARD,
        StartingPosition={"Type": "LATEST"},
    )
    assert message.startswith("Consumer c with creation timestamp ")
    assert message.endswith(" under stream: s, account 000000000000 is not in ACTIVE status.")


# As bytes.


def messages(collector, consumer, enough, kind=wire.JSON):
    """The messages of a subscription as (headers, payload), until there are `enough`."""
    content = {"ConsumerARN": consumer, "ShardId": SHARD, "StartingPosition": {"Type": "TRIM_HORIZON"}}
    body = json.dumps(content).encode() if kind == wire.JSON else wire.jackson(content)
    headers = wire.signed_headers(collector, wire.SERVICE + "SubscribeToShard", body, kind)
    address = urllib.parse.urlsplit(collector.url)
    if address.scheme == "https":
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    try:
        connection.request("POST", "/", body=body, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        lower = {name.lower(): value for name, value in answer.getheaders()}
        assert lower["content-type"] == "application/vnd.amazon.eventstream"
        assert lower["transfer-encoding"] == "chunked" and "content-length" not in lower
        assert len(lower["x-amzn-requestid"]) == 36 and lower["x-amz-id-2"]
        # It checks both checksums of every message.
        buffer, found = botocore.eventstream.EventStreamBuffer(), []
        while not enough(found):
            part = answer.read1(65536)
            if not part:
                return found
            buffer.add_data(part)
            found += [(message.headers, message.payload) for message in buffer]
        return found
    finally:
        connection.close()


@pytest.mark.parametrize("kind", [wire.JSON, wire.CBOR], ids=["json", "cbor"])
def test_the_messages_have_awss_headers(either, kind):
    kinesis = watched(either)
    name = f"bytes-{time.time_ns()}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    aws.wait_active(kinesis, name)
    arn = aws.stream_arn(name)
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]

    def active():
        answer = kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]
        return answer["ConsumerStatus"] == "ACTIVE"

    eventually(active, 10, 0.01, "the consumer is ACTIVE")
    put(kinesis, name, 0, 3)
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
    found = messages(either, consumer, lambda messages: False, kind)
    headers, payload = found[0]
    assert (headers[":message-type"], headers[":event-type"]) == ("event", "initial-response")
    assert payload in (b"", b"{}", b"\xa0", b"\xbf\xff")
    kinds = ("application/x-amz-json-1.1", "application/json") if kind == wire.JSON else (wire.CBOR,)
    read = json.loads if kind == wire.JSON else wire.decode_cbor
    shape = shapes.MODEL.shape_for("SubscribeToShardEvent")
    records = []
    for index, (headers, payload) in enumerate(found[1:], 2):
        assert (headers[":message-type"], headers[":event-type"]) == ("event", "SubscribeToShardEvent")
        assert headers[":content-type"] in kinds
        event = read(payload)
        if index == len(found):
            assert "ContinuationSequenceNumber" not in event and event["ChildShards"]
            # The model calls it required, and AWS leaves it out.
            event["ContinuationSequenceNumber"] = "0"
        shapes.check(shape, event, cbor=kind == wire.CBOR)
        records += event["Records"]
    first = b"0" if kind == wire.CBOR else "MA=="
    assert len(records) == 3 and records[0]["Data"] == first
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
