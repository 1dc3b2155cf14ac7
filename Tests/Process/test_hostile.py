"""What no well-behaved client sends: it ends no collector, damages nothing, and is answered."""

import base64
import http.client
import socket
import threading
import time
import urllib.parse

import botocore.exceptions
import pytest

import aws
import raw

PUT = "Kinesis_20131202.PutRecords"


def records(*texts):
    entries = [{"Data": base64.b64encode(text.encode()).decode(), "PartitionKey": text} for text in texts]
    return {"StreamName": "s", "Records": entries}


def test_numbers_at_the_edge_of_their_type_end_no_collector(collector, kinesis):
    aws.create_stream(kinesis, "s")
    item = {"TableName": "table", "Item": {"k": {"N": "1E-9223372036854775808"}}}
    status, kind, _ = raw.post(collector, "DynamoDB_20120810.PutItem", item, service="dynamodb")
    assert (status, kind) == (400, "ValidationException")
    token = base64.b64encode(b"1 s x  - -9223372036854775808").decode()
    status, kind, _ = raw.post(collector, "Kinesis_20131202.ListShards", {"NextToken": token})
    assert status == 400 and kind in ("InvalidArgumentException", "ExpiredNextTokenException")
    header = {"x-millrace-producer": "1:9223372036854775807+2"}
    status, kind, _ = raw.post(collector, PUT, records("a", "b"), headers=header)
    assert (status, kind) == (400, "InvalidArgumentException")
    for region in ["r" * 300, 'eu"1', ""]:
        status, kind, _ = raw.post(collector, "Kinesis_20131202.ListStreams", {}, region=region)
        assert (status, kind) == (400, "InvalidSignatureException"), region
    # A blank ends the credential, which lacks its other parts then.
    status, kind, _ = raw.post(collector, "Kinesis_20131202.ListStreams", {}, region="eu west")
    assert (status, kind) == (400, "IncompleteSignatureException")
    collector.expect_running()


def test_an_attribute_nested_too_deep_is_refused_however_it_comes_about(collector, dynamodb):
    dynamodb.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    deep = {"S": "x"}
    for _ in range(20):
        deep = {"M": {"a": deep}}
    dynamodb.put_item(TableName="table", Item={"k": {"S": "1"}, "a": deep})
    path = ".".join(["a"] * 20)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        dynamodb.update_item(TableName="table", Key={"k": {"S": "1"}}, UpdateExpression=f"SET {path} = a")
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "Nesting Levels" in refused.value.response["Error"]["Message"]
    assert dynamodb.get_item(TableName="table", Key={"k": {"S": "1"}})["Item"]["a"] == deep


def test_a_shard_ends_with_its_children_however_often_it_is_read_meanwhile(collector, kinesis):
    aws.create_stream(kinesis, "s")
    ends, stop = [], threading.Event()

    def follow(shard):
        reader = aws.client("kinesis", collector)
        iterator = reader.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while not stop.is_set():
            page = reader.get_records(ShardIterator=iterator)
            if "NextShardIterator" not in page:
                ends.append(page.get("ChildShards"))
                return
            iterator = page["NextShardIterator"]

    shard = "shardId-000000000000"
    for number in range(20):
        thread = threading.Thread(target=follow, args=[shard])
        thread.start()
        time.sleep(0.02)
        kinesis.split_shard(StreamName="s", ShardToSplit=shard, NewStartingHashKey=str(2**127 >> number))
        aws.wait_active(kinesis, "s")
        thread.join(20)
        assert len(ends) == number + 1 and len(ends[-1]) == 2, ends
        shard = min(child["ShardId"] for child in ends[-1])
    stop.set()


def test_a_stream_made_anew_at_once_shares_no_sequence_number_with_the_old_one(collector, kinesis):
    for _ in range(5):
        aws.create_stream(kinesis, "s")
        old = kinesis.put_record(StreamName="s", Data=b"old", PartitionKey="k")["SequenceNumber"]
        aws.delete_stream(kinesis, "s")
        aws.create_stream(kinesis, "s")
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            kinesis.get_shard_iterator(
                StreamName="s",
                ShardId="shardId-000000000000",
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=old,
            )
        assert refused.value.response["Error"]["Code"] == "InvalidArgumentException"
        assert kinesis.put_record(StreamName="s", Data=b"new", PartitionKey="k")["SequenceNumber"] > old
        aws.delete_stream(kinesis, "s")


def test_a_stream_made_anew_is_not_removed_with_the_old_one(collector, kinesis):
    """Deletes and creates for longer than a round of the collector's upkeep."""
    end = time.monotonic() + 12
    while time.monotonic() < end:
        aws.create_stream(kinesis, "s")
        kinesis.put_record(StreamName="s", Data=b"x", PartitionKey="k")
        kinesis.describe_stream_summary(StreamName="s")
        aws.delete_stream(kinesis, "s")


def test_another_accounts_or_regions_arn_is_not_ours(collector, kinesis):
    aws.create_stream(kinesis, "s")
    own = aws.stream_arn("s")
    kinesis.put_record(StreamARN=own, Data=b"x", PartitionKey="k")
    for arn in [own.replace("000000000000", "111111111111"), own.replace("us-east-1", "eu-west-1")]:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            kinesis.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_escapes_in_base64_neither_hide_a_records_size_nor_add_to_it(collector, kinesis):
    aws.create_stream(kinesis, "s")
    large = base64.b64encode(b"\0" * (3 << 20)).decode()
    body = '{"StreamName":"s","PartitionKey":"k","Data":"\\u0041' + large[1:] + '"}'
    status, kind, _ = raw.post(collector, "Kinesis_20131202.PutRecord", body.encode())
    assert (status, kind) == (400, "ValidationException")
    # PHP writes every slash as an escape.
    slashes = base64.b64encode(b"\xff" * 600 * 1024).decode().replace("/", "\\/")
    body = '{"StreamName":"s","PartitionKey":"k","Data":"' + slashes + '"}'
    status, kind, answer = raw.post(collector, "Kinesis_20131202.PutRecord", body.encode())
    assert status == 200, answer


def test_a_sequence_number_behind_the_newest_record_is_refused(collector, kinesis):
    aws.create_stream(kinesis, "s")
    number = int(kinesis.put_record(StreamName="s", Data=b"x", PartitionKey="k")["SequenceNumber"])
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        kinesis.get_shard_iterator(
            StreamName="s",
            ShardId="shardId-000000000000",
            ShardIteratorType="AFTER_SEQUENCE_NUMBER",
            StartingSequenceNumber=str(number + (1 << 110)),
        )
    assert refused.value.response["Error"]["Code"] == "InvalidArgumentException"


def test_a_delivery_batch_of_more_than_4_mib_is_refused(collector, firehose):
    aws.create_delivery_stream(firehose, "d")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        firehose.put_record_batch(DeliveryStreamName="d", Records=[{"Data": b"x" * 1_000_000}] * 5)
    assert refused.value.response["Error"]["Code"] == "InvalidArgumentException"


def test_an_operation_that_was_not_signed_is_refused(collector, kinesis):
    def other_target(headers):
        headers["X-Amz-Target"] = "Kinesis_20131202.DeleteStream"

    aws.create_stream(kinesis, "s")
    status, kind, _ = raw.post(collector, "Kinesis_20131202.ListStreams", {}, alter=other_target)
    assert (status, kind) == (400, "InvalidSignatureException")

    def no_algorithm(headers):
        headers["Authorization"] = headers["Authorization"].removeprefix("AWS4-HMAC-SHA256 ")

    status, kind, _ = raw.post(collector, "Kinesis_20131202.ListStreams", {}, alter=no_algorithm)
    assert (status, kind) == (400, "IncompleteSignatureException")


def test_answers_have_a_date_and_browsers_may_read_them(collector):
    address = urllib.parse.urlsplit(collector.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("POST", "/", body="{}", headers={"Origin": "http://example.com"})
    answer = connection.getresponse()
    assert answer.getheader("Date").endswith(" GMT")
    assert answer.getheader("Access-Control-Allow-Origin") == "*"
    connection.close()


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(collector):
    address = urllib.parse.urlsplit(collector.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n"
        )
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413 ") and b"connection: close" in answer.lower()
