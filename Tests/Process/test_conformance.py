"""boto3, unmodified, drives every operation of the collector; the answers are checked, not only accepted."""

import base64
import datetime
import hashlib
import time
import urllib.request

import botocore.exceptions
import pytest

import aws
import raw
from programs import ACCOUNT, REGION, eventually

MOST = 2**128 - 1
THIRDS = [
    (0, 113427455640312821154458202477256070484),
    (113427455640312821154458202477256070485, 226854911280625642308916404954512140969),
    (226854911280625642308916404954512140970, MOST),
]


def code(error):
    return error.value.response["Error"]["Code"]


def ranges(shards):
    return [(int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"])) for s in shards]


def iterator(kinesis, stream, shard, kind, **keys):
    return kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType=kind, **keys)["ShardIterator"]


def test_the_credentials_file_is_private_and_in_the_format_of_the_sdks(collector):
    path = collector.data / "credentials"
    assert path.stat().st_mode & 0o777 == 0o600
    key, secret = collector.credentials
    assert len(key) >= 16 and len(secret) >= 30
    collector.stop()
    collector.start()
    assert collector.credentials == (key, secret)


def test_a_stream_is_created_described_listed_and_deleted(kinesis):
    answer = kinesis.create_stream(StreamName="orders", ShardCount=3)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    aws.wait_active(kinesis, "orders")

    description = kinesis.describe_stream(StreamName="orders")["StreamDescription"]
    assert description["StreamName"] == "orders"
    assert description["StreamARN"] == f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"
    assert description["RetentionPeriodHours"] == 24
    assert description["HasMoreShards"] is False
    assert description["EncryptionType"] == "NONE"
    age = datetime.datetime.now(datetime.UTC) - description["StreamCreationTimestamp"]
    assert abs(age.total_seconds()) < 60
    assert ranges(description["Shards"]) == THIRDS
    assert [shard["ShardId"] for shard in description["Shards"]] == [f"shardId-{index:012}" for index in range(3)]
    for shard in description["Shards"]:
        assert "ParentShardId" not in shard and "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        number = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        assert len(number) == 56 and number.startswith("49")

    summary = kinesis.describe_stream_summary(StreamARN=aws.stream_arn("orders"))["StreamDescriptionSummary"]
    assert (summary["StreamName"], summary["OpenShardCount"], summary["ConsumerCount"]) == ("orders", 3, 0)
    assert summary["StreamModeDetails"]["StreamMode"] == "PROVISIONED"

    aws.create_stream(kinesis, "another")
    assert kinesis.list_streams()["StreamNames"] == ["another", "orders"]
    page = kinesis.list_streams(Limit=1)
    assert (page["StreamNames"], page["HasMoreStreams"]) == (["another"], True)
    assert kinesis.list_streams(ExclusiveStartStreamName="another")["StreamNames"] == ["orders"]

    with pytest.raises(botocore.exceptions.ClientError) as error:
        kinesis.create_stream(StreamName="orders", ShardCount=1)
    assert code(error) == "ResourceInUseException"

    kinesis.delete_stream(StreamName="orders")
    eventually(lambda: kinesis.list_streams()["StreamNames"] == ["another"], 10, what="the stream is gone")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kinesis.describe_stream(StreamName="orders")
    assert code(error) == "ResourceNotFoundException"


def test_a_deleted_streams_name_starts_afresh(kinesis):
    aws.create_stream(kinesis, "again")
    kinesis.put_record(StreamName="again", Data=b"old", PartitionKey="k")
    kinesis.delete_stream(StreamName="again")
    eventually(lambda: "again" not in kinesis.list_streams()["StreamNames"], 10, what="the stream is gone")
    aws.create_stream(kinesis, "again")
    assert aws.StreamReader(kinesis, "again").read().texts == []


def test_list_shards_pages_and_continues_after_a_shard(kinesis):
    aws.create_stream(kinesis, "wide", 5)
    first = kinesis.list_shards(StreamName="wide", MaxResults=2)
    assert [shard["ShardId"][-1] for shard in first["Shards"]] == ["0", "1"]
    second = kinesis.list_shards(NextToken=first["NextToken"], MaxResults=10)
    assert [shard["ShardId"][-1] for shard in second["Shards"]] == ["2", "3", "4"] and "NextToken" not in second
    after = kinesis.list_shards(StreamName="wide", ExclusiveStartShardId="shardId-000000000003")
    assert [shard["ShardId"][-1] for shard in after["Shards"]] == ["4"]
    described = kinesis.describe_stream(StreamName="wide", ExclusiveStartShardId="shardId-000000000002", Limit=1)
    assert [shard["ShardId"][-1] for shard in described["StreamDescription"]["Shards"]] == ["3"]
    assert described["StreamDescription"]["HasMoreShards"] is True


def test_put_record_goes_where_the_key_hashes_to_and_comes_back_as_it_was(kinesis):
    aws.create_stream(kinesis, "keys", 3)
    for key in ("a", "b", "schlüssel", "🔑", "x" * 256):
        data = key.encode() * 3
        put = kinesis.put_record(StreamName="keys", Data=data, PartitionKey=key)
        hashed = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        index = next(i for i, (low, high) in enumerate(THIRDS) if low <= hashed <= high)
        assert put["ShardId"] == f"shardId-{index:012}"
        at = iterator(kinesis, "keys", put["ShardId"], "AT_SEQUENCE_NUMBER", StartingSequenceNumber=put["SequenceNumber"])
        record = kinesis.get_records(ShardIterator=at)["Records"][0]
        assert (record["Data"], record["PartitionKey"]) == (data, key)
        assert record["SequenceNumber"] == put["SequenceNumber"]
        assert abs(record["ApproximateArrivalTimestamp"].timestamp() - time.time()) < 30


def test_an_explicit_hash_key_decides(kinesis):
    aws.create_stream(kinesis, "explicit", 3)
    for index, (low, high) in enumerate(THIRDS):
        for hash_key in (low, high):
            put = kinesis.put_record(
                StreamName="explicit", Data=b"x", PartitionKey="same", ExplicitHashKey=str(hash_key)
            )
            assert put["ShardId"] == f"shardId-{index:012}"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kinesis.put_record(StreamName="explicit", Data=b"x", PartitionKey="k", ExplicitHashKey=str(2**128))
    assert code(error) == "InvalidArgumentException"


def test_put_records_keeps_order_in_a_shard_and_answers_in_request_order(kinesis):
    aws.create_stream(kinesis, "batches", 2)
    sent = []
    for batch in range(4):
        entries = [{"Data": f"{batch}-{n}".encode(), "PartitionKey": f"key-{n}"} for n in range(500)]
        answer = kinesis.put_records(StreamName="batches", Records=entries)
        assert answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 500
        sent += [
            (result["ShardId"], int(result["SequenceNumber"]), entry["Data"].decode())
            for entry, result in zip(entries, answer["Records"])
        ]
    reader = aws.StreamReader(kinesis, "batches").read()
    reader.check_order()
    stored = [
        (shard, int(record["SequenceNumber"]), record["Data"].decode())
        for shard, records in reader.records.items()
        for record in records
    ]
    assert sorted(stored) == sorted(sent)
    for shard in reader.records:
        assert [row for row in sent if row[0] == shard] == [row for row in stored if row[0] == shard]


def test_empty_and_binary_data_and_a_record_of_one_mebibyte(kinesis):
    aws.create_stream(kinesis, "sizes")
    bodies = [b"", bytes(range(256)), b"\x00" * 1000, b"m" * (1048576 - 1)]
    for body in bodies:
        kinesis.put_record(StreamName="sizes", Data=body, PartitionKey="k")
    records = aws.read_shard(kinesis, "sizes", "shardId-000000000000")
    assert [record["Data"] for record in records] == bodies


def test_all_five_kinds_of_iterator(kinesis):
    aws.create_stream(kinesis, "iterators")
    shard = "shardId-000000000000"
    puts = []
    for text in ("one", "two", "three"):
        puts.append(kinesis.put_record(StreamName="iterators", Data=text.encode(), PartitionKey="k"))
        time.sleep(0.02)

    def read(kind, **keys):
        answer = kinesis.get_records(ShardIterator=iterator(kinesis, "iterators", shard, kind, **keys))
        return [record["Data"].decode() for record in answer["Records"]]

    second = puts[1]["SequenceNumber"]
    start = kinesis.list_shards(StreamName="iterators")["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"]
    assert read("TRIM_HORIZON") == ["one", "two", "three"]
    assert read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == ["two", "three"]
    assert read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=second) == ["three"]
    assert read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=start) == ["one", "two", "three"]
    assert read("LATEST") == []

    latest = iterator(kinesis, "iterators", shard, "LATEST")
    kinesis.put_record(StreamName="iterators", Data=b"four", PartitionKey="k")
    answer = kinesis.get_records(ShardIterator=latest)
    assert [record["Data"] for record in answer["Records"]] == [b"four"] and answer["MillisBehindLatest"] == 0

    assert read("AT_TIMESTAMP", Timestamp=datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)) == [
        "one", "two", "three", "four"
    ]


def test_at_timestamp_starts_at_the_first_record_that_arrived_then_or_later(collector, kinesis):
    """boto3 sends whole seconds; AWS takes milliseconds, so both are asked."""
    aws.create_stream(kinesis, "times")
    shard = "shardId-000000000000"
    for turn in range(3):
        for n in range(4):
            kinesis.put_record(StreamName="times", Data=f"{turn}{n}".encode(), PartitionKey="k")
            time.sleep(0.005)
        time.sleep(1.01 - time.time() % 1 if turn < 2 else 0)
    records = aws.read_shard(kinesis, "times", shard)
    arrivals = [record["ApproximateArrivalTimestamp"] for record in records]
    assert arrivals == sorted(arrivals)

    def texts(at):
        return [record["Data"].decode() for record in kinesis.get_records(ShardIterator=at)["Records"]]

    for record in records:
        arrival = record["ApproximateArrivalTimestamp"]
        body = {
            "StreamName": "times",
            "ShardId": shard,
            "ShardIteratorType": "AT_TIMESTAMP",
            "Timestamp": round(arrival.timestamp(), 3),
        }
        status, _, answer = raw.post(collector, "Kinesis_20131202.GetShardIterator", body)
        assert status == 200, answer
        later = [r["Data"].decode() for r in records if r["ApproximateArrivalTimestamp"] >= arrival]
        assert texts(answer["ShardIterator"]) == later
        second = arrival.replace(microsecond=0)
        later = [r["Data"].decode() for r in records if r["ApproximateArrivalTimestamp"] >= second]
        assert texts(iterator(kinesis, "times", shard, "AT_TIMESTAMP", Timestamp=second)) == later
    later = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    at = iterator(kinesis, "times", shard, "AT_TIMESTAMP", Timestamp=later)
    assert texts(at) == [r["Data"].decode() for r in records if r["ApproximateArrivalTimestamp"] >= later]


def test_an_iterator_reads_in_pages_and_may_be_used_twice(kinesis):
    aws.create_stream(kinesis, "pages")
    entries = [{"Data": str(n).encode(), "PartitionKey": "k"} for n in range(10)]
    kinesis.put_records(StreamName="pages", Records=entries)
    start = iterator(kinesis, "pages", "shardId-000000000000", "TRIM_HORIZON")
    first = kinesis.get_records(ShardIterator=start, Limit=4)
    again = kinesis.get_records(ShardIterator=start, Limit=4)
    assert [r["Data"] for r in first["Records"]] == [b"0", b"1", b"2", b"3"] == [r["Data"] for r in again["Records"]]
    rest = kinesis.get_records(ShardIterator=first["NextShardIterator"])
    assert [r["Data"] for r in rest["Records"]] == [str(n).encode() for n in range(4, 10)]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        kinesis.get_records(ShardIterator="not-an-iterator")
    assert code(error) == "InvalidArgumentException"


def expect_end_of_shard(kinesis, stream, shard, children, parents):
    """Reads the closed shard to its end: the last page has ChildShards and no next iterator, and only the last one."""
    at = iterator(kinesis, stream, shard, "TRIM_HORIZON")
    records = []
    for _ in range(20):
        answer = kinesis.get_records(ShardIterator=at)
        records += answer["Records"]
        at = answer.get("NextShardIterator")
        if at is None:
            break
        assert not answer.get("ChildShards")
    assert at is None, "a closed shard did not end"
    assert [child["ShardId"] for child in answer["ChildShards"]] == children
    for child in answer["ChildShards"]:
        assert sorted(child["ParentShards"]) == sorted(parents)
        assert "HashKeyRange" in child
    return records


def test_split_and_merge_keep_lineage_order_and_the_whole_key_space(kinesis):
    aws.create_stream(kinesis, "tree")
    zero, one, two, three = [f"shardId-{index:012}" for index in range(4)]
    before = [kinesis.put_record(StreamName="tree", Data=str(n).encode(), PartitionKey=str(n)) for n in range(20)]

    middle = 2**127
    kinesis.split_shard(StreamName="tree", ShardToSplit=zero, NewStartingHashKey=str(middle))
    aws.wait_active(kinesis, "tree")
    shards = aws.list_shards(kinesis, "tree")
    assert [shard["ShardId"] for shard in shards] == [zero, one, two]
    assert ranges(shards) == [(0, MOST), (0, middle - 1), (middle, MOST)]
    assert [shard.get("ParentShardId") for shard in shards] == [None, zero, zero]
    ending = shards[0]["SequenceNumberRange"]["EndingSequenceNumber"]
    assert all(int(put["SequenceNumber"]) <= int(ending) for put in before)
    assert "EndingSequenceNumber" not in shards[1]["SequenceNumberRange"]

    after = [kinesis.put_record(StreamName="tree", Data=str(n).encode(), PartitionKey=str(n)) for n in range(20, 40)]
    assert {put["ShardId"] for put in after} == {one, two}
    assert min(int(put["SequenceNumber"]) for put in after) > max(int(put["SequenceNumber"]) for put in before)
    for child in shards[1:]:
        assert int(child["SequenceNumberRange"]["StartingSequenceNumber"]) > int(before[-1]["SequenceNumber"])
    assert len(expect_end_of_shard(kinesis, "tree", zero, [one, two], [zero])) == 20

    kinesis.merge_shards(StreamName="tree", ShardToMerge=one, AdjacentShardToMerge=two)
    aws.wait_active(kinesis, "tree")
    shards = aws.list_shards(kinesis, "tree")
    assert shards[3]["ShardId"] == three and ranges(shards)[3] == (0, MOST)
    assert (shards[3]["ParentShardId"], shards[3]["AdjacentParentShardId"]) == (one, two)
    merged = kinesis.put_record(StreamName="tree", Data=b"last", PartitionKey="k")
    assert merged["ShardId"] == three
    assert int(merged["SequenceNumber"]) > max(int(put["SequenceNumber"]) for put in after)
    for shard in (one, two):
        expect_end_of_shard(kinesis, "tree", shard, [three], [one, two])

    reader = aws.StreamReader(kinesis, "tree").read()
    reader.check_order()
    aws.expect_exactly_once([*(str(n) for n in range(40)), "last"], reader.texts, "the tree")

    latest = kinesis.get_records(ShardIterator=iterator(kinesis, "tree", zero, "LATEST"))
    assert latest["Records"] == [] and "NextShardIterator" not in latest


def test_resharding_that_cannot_be_is_refused(kinesis):
    aws.create_stream(kinesis, "refused", 3)

    def refused(operation, **keys):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            operation(StreamName="refused", **keys)
        return code(error)

    zero, one, two = [f"shardId-{index:012}" for index in range(3)]
    split, merge = kinesis.split_shard, kinesis.merge_shards
    assert refused(split, ShardToSplit=one, NewStartingHashKey="0") == "InvalidArgumentException"
    assert refused(split, ShardToSplit=one, NewStartingHashKey=str(THIRDS[1][1])) == "InvalidArgumentException"
    assert refused(split, ShardToSplit="shardId-000000000009", NewStartingHashKey="5") == "ResourceNotFoundException"
    assert refused(merge, ShardToMerge=zero, AdjacentShardToMerge=two) == "InvalidArgumentException"
    assert refused(merge, ShardToMerge=one, AdjacentShardToMerge=zero) == "InvalidArgumentException"
    kinesis.merge_shards(StreamName="refused", ShardToMerge=zero, AdjacentShardToMerge=one)
    aws.wait_active(kinesis, "refused")
    assert refused(split, ShardToSplit=zero, NewStartingHashKey="500") == "InvalidArgumentException"


def test_everything_is_there_after_a_restart_and_after_sigkill(collector, kinesis):
    aws.create_stream(kinesis, "kept", 2)
    texts = [f"line {n}" for n in range(1000)]
    for start in range(0, 1000, 250):
        entries = [{"Data": text.encode(), "PartitionKey": text} for text in texts[start : start + 250]]
        kinesis.put_records(StreamName="kept", Records=entries)
    before = aws.StreamReader(kinesis, "kept").read()
    for end in (collector.stop, collector.kill9):
        end()
        collector.start()
        after = aws.StreamReader(aws.client("kinesis", collector, attempts=3), "kept").read()
        assert after.records == before.records
        aws.expect_exactly_once(texts, after.texts, "after a restart")


def test_lease_tables(dynamodb):
    created = dynamodb.create_table(
        TableName="app",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    assert (created["TableName"], created["TableStatus"]) == ("app", "ACTIVE")
    assert dynamodb.describe_table(TableName="app")["Table"]["TableArn"].endswith(":table/app")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        dynamodb.describe_table(TableName="other")
    assert code(error) == "ResourceNotFoundException"

    lease = {
        "leaseKey": {"S": "shardId-000000000000"},
        "leaseCounter": {"N": "0"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "parentShardIds": {"SS": ["a", "b"]},
    }
    key = {"leaseKey": lease["leaseKey"]}
    dynamodb.put_item(TableName="app", Item=lease, ConditionExpression="attribute_not_exists(leaseKey)")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        dynamodb.put_item(TableName="app", Item=lease, ConditionExpression="attribute_not_exists(leaseKey)")
    assert code(error) == "ConditionalCheckFailedException"
    assert dynamodb.get_item(TableName="app", Key=key, ConsistentRead=True)["Item"] == lease
    assert "Item" not in dynamodb.get_item(TableName="app", Key={"leaseKey": {"S": "none"}})

    def take(owner, counter):
        return dynamodb.update_item(
            TableName="app",
            Key=key,
            UpdateExpression="SET #o = :owner, leaseCounter = leaseCounter + :one REMOVE parentShardIds",
            ConditionExpression="(leaseCounter = :counter AND (attribute_not_exists(#o) OR #o <> :owner))",
            ExpressionAttributeNames={"#o": "leaseOwner"},
            ExpressionAttributeValues={":owner": {"S": owner}, ":counter": {"N": counter}, ":one": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )

    taken = take("worker-1", "0")["Attributes"]
    assert (taken["leaseOwner"], taken["leaseCounter"]) == ({"S": "worker-1"}, {"N": "1"})
    assert "parentShardIds" not in taken
    for owner, counter in (("worker-2", "0"), ("worker-1", "1")):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            take(owner, counter)
        assert code(error) == "ConditionalCheckFailedException"

    for index in range(1, 6):
        dynamodb.put_item(TableName="app", Item={"leaseKey": {"S": f"shardId-{index:012}"}, "n": {"N": str(index)}})
    seen, start = [], {}
    while True:
        page = dynamodb.scan(TableName="app", Limit=4, **start)
        seen += [item["leaseKey"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert sorted(seen) == [f"shardId-{index:012}" for index in range(6)]

    dynamodb.delete_item(
        TableName="app", Key=key, ConditionExpression="leaseOwner = :o", ExpressionAttributeValues={":o": {"S": "worker-1"}}
    )
    assert "Item" not in dynamodb.get_item(TableName="app", Key=key)
    dynamodb.delete_table(TableName="app")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        dynamodb.scan(TableName="app")
    assert code(error) == "ResourceNotFoundException"


def test_delivery_streams(collector, kinesis, firehose):
    arn = aws.create_delivery_stream(firehose, "direct", prefix="in/")
    assert arn == f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/direct"
    aws.create_stream(kinesis, "source")
    aws.create_delivery_stream(firehose, "fed", source="source", prefix="fed/")
    assert firehose.list_delivery_streams()["DeliveryStreamNames"] == ["direct", "fed"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        aws.create_delivery_stream(firehose, "direct")
    assert code(error) == "ResourceInUseException"

    description = firehose.describe_delivery_stream(DeliveryStreamName="fed")["DeliveryStreamDescription"]
    assert description["DeliveryStreamType"] == "KinesisStreamAsSource"
    source = description["Source"]["KinesisStreamSourceDescription"]
    assert source["KinesisStreamARN"] == aws.stream_arn("source")
    hints = description["Destinations"][0]["ExtendedS3DestinationDescription"]["BufferingHints"]
    assert hints == {"SizeInMBs": 1, "IntervalInSeconds": 1}

    one = firehose.put_record(DeliveryStreamName="direct", Record={"Data": b"first\n"})
    assert one["RecordId"]
    batch = firehose.put_record_batch(
        DeliveryStreamName="direct", Records=[{"Data": f"line {n}\n".encode()} for n in range(500)]
    )
    assert batch["FailedPutCount"] == 0 and len({row["RecordId"] for row in batch["RequestResponses"]}) == 500
    with pytest.raises(botocore.exceptions.ClientError) as error:
        firehose.put_record(DeliveryStreamName="fed", Record={"Data": b"x"})
    assert code(error) == "InvalidArgumentException"
    kinesis.put_record(StreamName="source", Data=b"through the stream\n", PartitionKey="k")

    expected = ["first", *(f"line {n}" for n in range(500)), "through the stream"]
    eventually(lambda: len(aws.delivered_lines(collector)) >= len(expected), 20, what="every record is in a file")
    aws.expect_exactly_once(expected, aws.delivered_lines(collector), "the files")
    stamp = time.strftime("%Y/%m/%d/", time.gmtime())
    files = [str(path.relative_to(collector.sinks)) for path in aws.delivered_files(collector)]
    assert any(f"in/{stamp}" in name for name in files) and any(f"fed/{stamp}" in name for name in files), files

    firehose.delete_delivery_stream(DeliveryStreamName="direct")
    eventually(lambda: firehose.list_delivery_streams()["DeliveryStreamNames"] == ["fed"], 10, what="it is gone")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        firehose.put_record(DeliveryStreamName="direct", Record={"Data": b"x"})
    assert code(error) == "ResourceNotFoundException"


def test_health_readiness_and_metrics_are_served(collector, kinesis):
    aws.create_stream(kinesis, "metered")
    kinesis.put_record(StreamName="metered", Data=b"12345", PartitionKey="k")
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(collector.url + path, timeout=5) as answer:
            assert answer.status == 200
    assert aws.metric(collector, "millrace_records_stored_total", stream="metered") == 1
    assert aws.metric(collector, "millrace_bytes_stored_total", stream="metered") >= 5


def test_the_records_of_a_stream_survive_a_base64_round_trip_through_the_wire(kinesis):
    aws.create_stream(kinesis, "bytes")
    bodies = [hashlib.sha512(str(n).encode()).digest()[: n % 64 + 1] for n in range(130)]
    kinesis.put_records(StreamName="bytes", Records=[{"Data": body, "PartitionKey": "k"} for body in bodies])
    records = aws.read_shard(kinesis, "bytes", "shardId-000000000000")
    assert [base64.b64encode(r["Data"]) for r in records] == [base64.b64encode(body) for body in bodies]
