"""RegisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers, DeregisterStreamConsumer."""

import time

import pytest

from checks import refused
from programs import eventually


@pytest.fixture
def gone(kinesis):
    def wait(arn):
        def check():
            try:
                kinesis.describe_stream_consumer(ConsumerARN=arn)
            except kinesis.exceptions.ResourceNotFoundException:
                return True
            return False

        eventually(check, 10, 0.01, "the consumer is gone")

    return wait


def test_a_consumer_is_registered_described_and_deregistered(kinesis, streams, stream, consumer, gone):
    arn = streams.arn(stream)
    answer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
    created = answer["ConsumerCreationTimestamp"]
    assert (answer["ConsumerName"], answer["ConsumerStatus"]) == ("reader", "CREATING")
    assert answer["ConsumerARN"] == f"{arn}/consumer/reader:{int(created.timestamp())}"
    assert abs(created.timestamp() - time.time()) < 5

    def active():
        described = kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="reader")["ConsumerDescription"]
        return described["ConsumerStatus"] == "ACTIVE" and described

    described = eventually(active, 10, 0.01, "the consumer is ACTIVE")
    assert described == {**answer, "ConsumerStatus": "ACTIVE", "StreamARN": arn}
    consumer_arn = answer["ConsumerARN"]
    for keys in (
        {"ConsumerARN": consumer_arn},
        {"ConsumerARN": consumer_arn, "StreamARN": arn, "ConsumerName": "reader"},
    ):
        assert kinesis.describe_stream_consumer(**keys)["ConsumerDescription"] == described
    assert streams.summary(stream)["ConsumerCount"] == 1
    refused("ResourceInUseException", kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="reader")

    kinesis.deregister_stream_consumer(ConsumerARN=consumer_arn)
    gone(consumer_arn)
    assert streams.summary(stream)["ConsumerCount"] == 0
    refused("ResourceNotFoundException", kinesis.deregister_stream_consumer, ConsumerARN=consumer_arn)
    refused("ResourceNotFoundException", kinesis.describe_stream_consumer, StreamARN=arn, ConsumerName="reader")


def test_a_consumer_that_was_registered_again_has_a_new_arn(kinesis, streams, stream, consumer, gone):
    first = consumer(stream, "reader")
    kinesis.deregister_stream_consumer(StreamARN=streams.arn(stream), ConsumerName="reader")
    gone(first)
    time.sleep(1.01 - time.time() % 1)
    second = consumer(stream, "reader")
    assert first != second
    refused("ResourceNotFoundException", kinesis.describe_stream_consumer, ConsumerARN=first)


def test_consumers_are_addressed_by_arn_or_by_stream_and_name(unchecked, streams, stream, consumer):
    arn = streams.arn(stream)
    one, two = consumer(stream, "one"), consumer(stream, "two")
    for call in (unchecked.describe_stream_consumer, unchecked.deregister_stream_consumer):
        refused("InvalidArgumentException", call)
        refused("InvalidArgumentException", call, ConsumerName="one")
        refused("InvalidArgumentException", call, StreamARN=arn)
        # All three must agree.
        refused("InvalidArgumentException", call, ConsumerARN=one, StreamARN=arn, ConsumerName="two")
        refused("ResourceNotFoundException", call, StreamARN=arn, ConsumerName="three")
        refused("ResourceNotFoundException", call, ConsumerARN=f"{arn}/consumer/one:1")
        refused("ValidationException", call, ConsumerARN=arn)
    assert two


def test_consumers_are_listed_in_pages(kinesis, unchecked, streams, stream):
    arn = streams.arn(stream)
    names = [f"consumer-{index:02}" for index in range(7)]
    for name in names:
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)
    seen, token, pages = [], {}, 0
    while True:
        page = kinesis.list_stream_consumers(StreamARN=arn, MaxResults=3, **token)
        seen += [consumer["ConsumerName"] for consumer in page["Consumers"]]
        pages += 1
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert (sorted(seen), pages) == (names, 3)
    created = streams.summary(stream)["StreamCreationTimestamp"]
    listed = kinesis.list_stream_consumers(StreamARN=arn, StreamCreationTimestamp=created)["Consumers"]
    assert len(listed) == 7
    token = kinesis.list_stream_consumers(StreamARN=arn, MaxResults=1)["NextToken"]
    refused(
        "InvalidArgumentException",
        kinesis.list_stream_consumers,
        StreamARN=arn,
        NextToken=token,
        StreamCreationTimestamp=created,
    )
    refused("InvalidArgumentException", kinesis.list_stream_consumers, StreamARN=arn, NextToken="AAAA")
    refused("ValidationException", unchecked.list_stream_consumers, StreamARN=arn, MaxResults=0)
    refused("ValidationException", unchecked.list_stream_consumers, StreamARN=arn, MaxResults=10001)


def test_a_token_of_one_operation_or_stream_is_none_of_another(kinesis, streams):
    one, two = streams.create(3), streams.create(3)
    for name in (one, two):
        for index in range(2):
            kinesis.register_stream_consumer(StreamARN=streams.arn(name), ConsumerName=f"c{index}")
    consumers = kinesis.list_stream_consumers(StreamARN=streams.arn(one), MaxResults=1)["NextToken"]
    shards = kinesis.list_shards(StreamName=one, MaxResults=1)["NextToken"]
    refused("InvalidArgumentException", kinesis.list_stream_consumers, StreamARN=streams.arn(two), NextToken=consumers)
    refused("InvalidArgumentException", kinesis.list_stream_consumers, StreamARN=streams.arn(one), NextToken=shards)
    refused("InvalidArgumentException", kinesis.list_shards, NextToken=consumers)
    refused("InvalidArgumentException", kinesis.list_streams, NextToken=shards)


def test_consumer_names_are_constrained(unchecked, streams, stream):
    arn = streams.arn(stream)
    for name in ("", "a b", "x" * 129):
        refused("ValidationException", unchecked.register_stream_consumer, StreamARN=arn, ConsumerName=name)
    refused("ValidationException", unchecked.register_stream_consumer, StreamARN="no arn", ConsumerName="c")
    refused("ValidationException", unchecked.register_stream_consumer, ConsumerName="c")
