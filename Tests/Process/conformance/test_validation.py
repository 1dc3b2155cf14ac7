"""ValidationException and SerializationException, word for word; several violations at once, compared as sets."""

import json

import pytest

import shapes
import wire
from checks import (
    NAME_PATTERN,
    NOT_NULL,
    SHARD,
    UNSHOWN,
    at_least,
    at_most,
    breaks,
    expect_message,
    longer,
    one_of,
    shorter,
    violations,
)

HASH = "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})"
NUMBER = "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,128})"
STREAM_ARN = "Member must satisfy regular expression pattern: arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+"
TYPES = one_of("AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON")
LONG = "s" * 129


@pytest.fixture
def send(collector):
    def call(operation, content, **keys):
        answer = wire.call(collector, operation, content, **keys)
        shapes.check_answer(operation, answer.status, answer.headers, answer.body)
        return answer

    return call


ONE_EACH = [
    ("CreateStream", {}, {breaks(None, "streamName", NOT_NULL)}),
    ("CreateStream", {"StreamName": "a b", "ShardCount": 1}, {breaks("a b", "streamName", NAME_PATTERN)}),
    ("CreateStream", {"StreamName": LONG, "ShardCount": 1}, {breaks(LONG, "streamName", shorter(128))}),
    (
        "CreateStream",
        {"StreamName": "", "ShardCount": 0},
        {
            breaks("", "streamName", NAME_PATTERN),
            breaks("", "streamName", longer(1)),
            breaks(0, "shardCount", at_least(1)),
        },
    ),
    (
        "CreateStream",
        {"StreamName": "s", "ShardCount": 1, "StreamModeDetails": {"StreamMode": "OTHER"}},
        {breaks("OTHER", "streamModeDetails.streamMode", one_of("ON_DEMAND", "PROVISIONED"))},
    ),
    (
        "CreateStream",
        {"StreamName": "s", "ShardCount": 1, "StreamModeDetails": {}},
        {breaks(None, "streamModeDetails.streamMode", NOT_NULL)},
    ),
    ("DescribeStream", {"StreamName": "s", "Limit": 0}, {breaks(0, "limit", at_least(1))}),
    ("DescribeStream", {"StreamName": "s", "Limit": 10001}, {breaks(10001, "limit", at_most(10000))}),
    (
        "DescribeStream",
        {"StreamName": "", "ExclusiveStartShardId": "a;b", "Limit": 0},
        {
            breaks("", "streamName", NAME_PATTERN),
            breaks("", "streamName", longer(1)),
            breaks("a;b", "exclusiveStartShardId", NAME_PATTERN),
            breaks(0, "limit", at_least(1)),
        },
    ),
    ("DescribeStreamSummary", {"StreamARN": "x"}, {breaks("x", "streamARN", STREAM_ARN)}),
    (
        "DeleteStream",
        {"StreamARN": ""},
        {breaks("", "streamARN", STREAM_ARN), breaks("", "streamARN", longer(1))},
    ),
    ("ListStreams", {"Limit": 10001}, {breaks(10001, "limit", at_most(10000))}),
    (
        "ListStreams",
        {"ExclusiveStartStreamName": "a:b", "Limit": -1},
        {breaks("a:b", "exclusiveStartStreamName", NAME_PATTERN), breaks(-1, "limit", at_least(1))},
    ),
    (
        "ListShards",
        {"StreamName": "s", "ShardFilter": {"Type": "X"}},
        {
            breaks(
                "X",
                "shardFilter.type",
                one_of(
                    "FROM_TIMESTAMP",
                    "AT_TRIM_HORIZON",
                    "AT_TIMESTAMP",
                    "FROM_TRIM_HORIZON",
                    "AT_LATEST",
                    "AFTER_SHARD_ID",
                ),
            )
        },
    ),
    ("ListShards", {"StreamName": "s", "ShardFilter": {}}, {breaks(None, "shardFilter.type", NOT_NULL)}),
    ("ListShards", {"StreamName": "s", "MaxResults": 0}, {breaks(0, "maxResults", at_least(1))}),
    (
        "PutRecord",
        {},
        {breaks(None, "data", NOT_NULL), breaks(None, "partitionKey", NOT_NULL)},
    ),
    (
        "PutRecord",
        {"StreamName": "", "Data": "", "PartitionKey": "", "ExplicitHashKey": "", "SequenceNumberForOrdering": ""},
        {
            breaks("", "streamName", NAME_PATTERN),
            breaks("", "streamName", longer(1)),
            breaks("", "partitionKey", longer(1)),
            breaks("", "explicitHashKey", HASH),
            breaks("", "sequenceNumberForOrdering", NUMBER),
        },
    ),
    (
        "PutRecord",
        {"StreamName": "s", "Data": "", "PartitionKey": "k", "SequenceNumberForOrdering": "007"},
        {breaks("007", "sequenceNumberForOrdering", NUMBER)},
    ),
    ("PutRecords", {"StreamName": "s"}, {breaks(None, "records", NOT_NULL)}),
    ("PutRecords", {"StreamName": "s", "Records": []}, {breaks("[]", "records", longer(1))}),
    (
        "PutRecords",
        {"StreamName": "s", "Records": [{}, {"Data": "", "PartitionKey": "", "ExplicitHashKey": "x"}]},
        {
            breaks(None, "records.1.member.data", NOT_NULL),
            breaks(None, "records.1.member.partitionKey", NOT_NULL),
            breaks("", "records.2.member.partitionKey", longer(1)),
            breaks("x", "records.2.member.explicitHashKey", HASH),
        },
    ),
    (
        "GetShardIterator",
        {"StreamName": "s"},
        {breaks(None, "shardId", NOT_NULL), breaks(None, "shardIteratorType", NOT_NULL)},
    ),
    (
        "GetShardIterator",
        {"StreamName": "s", "ShardId": "", "ShardIteratorType": "", "StartingSequenceNumber": "x"},
        {
            breaks("", "shardId", NAME_PATTERN),
            breaks("", "shardId", longer(1)),
            breaks("", "shardIteratorType", TYPES),
            breaks("x", "startingSequenceNumber", NUMBER),
        },
    ),
    ("GetRecords", {}, {breaks(None, "shardIterator", NOT_NULL)}),
    (
        "GetRecords",
        {"ShardIterator": "", "Limit": 10001},
        {breaks("", "shardIterator", longer(1)), breaks(10001, "limit", at_most(10000))},
    ),
    (
        "SplitShard",
        {"StreamName": "s", "ShardToSplit": "a b", "NewStartingHashKey": "00"},
        {breaks("a b", "shardToSplit", NAME_PATTERN), breaks("00", "newStartingHashKey", HASH)},
    ),
    (
        "SplitShard",
        {"StreamName": "s"},
        {breaks(None, "shardToSplit", NOT_NULL), breaks(None, "newStartingHashKey", NOT_NULL)},
    ),
    (
        "MergeShards",
        {"StreamName": "s", "ShardToMerge": LONG},
        {breaks(LONG, "shardToMerge", shorter(128)), breaks(None, "adjacentShardToMerge", NOT_NULL)},
    ),
    (
        "UpdateShardCount",
        {"StreamName": "s", "TargetShardCount": 0, "ScalingType": "X"},
        {breaks(0, "targetShardCount", at_least(1)), breaks("X", "scalingType", one_of("UNIFORM_SCALING"))},
    ),
    ("IncreaseStreamRetentionPeriod", {"StreamName": "s"}, {breaks(None, "retentionPeriodHours", NOT_NULL)}),
    ("DecreaseStreamRetentionPeriod", {"StreamName": "s"}, {breaks(None, "retentionPeriodHours", NOT_NULL)}),
    (
        "StartStreamEncryption",
        {"StreamName": "s", "EncryptionType": "AES", "KeyId": ""},
        {breaks("AES", "encryptionType", one_of("KMS", "NONE")), breaks("", "keyId", longer(1))},
    ),
    (
        "StopStreamEncryption",
        {"StreamName": "s"},
        {breaks(None, "encryptionType", NOT_NULL), breaks(None, "keyId", NOT_NULL)},
    ),
    ("AddTagsToStream", {"StreamName": "s"}, {breaks(None, "tags", NOT_NULL)}),
    (
        "AddTagsToStream",
        {"StreamName": "s", "Tags": {"a": "v" * 257}},
        {
            breaks(
                "{a=" + "v" * 257 + "}",
                "tags",
                "Map value must satisfy constraint: [" + shorter(256) + ", " + longer(0) + "]",
            )
        },
    ),
    (
        "AddTagsToStream",
        {"StreamName": "s", "Tags": {"k" * 129: ""}},
        {
            breaks(
                "{" + "k" * 129 + "=}",
                "tags",
                "Map keys must satisfy constraint: [" + shorter(128) + ", " + longer(1) + "]",
            )
        },
    ),
    ("AddTagsToStream", {"StreamName": "s", "Tags": {}}, {breaks("{}", "tags", longer(1))}),
    ("RemoveTagsFromStream", {"StreamName": "s", "TagKeys": []}, {breaks("[]", "tagKeys", longer(1))}),
    (
        "RemoveTagsFromStream",
        {"StreamName": "s", "TagKeys": ["a", "k" * 129]},
        {
            breaks(
                "[a, " + "k" * 129 + "]",
                "tagKeys",
                "Member must satisfy constraint: [" + shorter(128) + ", " + longer(1) + "]",
            )
        },
    ),
    ("ListTagsForStream", {"StreamName": "s", "Limit": 51}, {breaks(51, "limit", at_most(50))}),
    ("ListTagsForResource", {}, {breaks(None, "resourceARN", NOT_NULL)}),
    (
        "RegisterStreamConsumer",
        {},
        {breaks(None, "streamARN", NOT_NULL), breaks(None, "consumerName", NOT_NULL)},
    ),
    ("ListStreamConsumers", {"StreamARN": "arn"}, {breaks("arn", "streamARN", STREAM_ARN)}),
    (
        "SubscribeToShard",
        {},
        {
            breaks(None, "consumerARN", NOT_NULL),
            breaks(None, "shardId", NOT_NULL),
            breaks(None, "startingPosition", NOT_NULL),
        },
    ),
    (
        "UpdateStreamMode",
        {},
        {breaks(None, "streamARN", NOT_NULL), breaks(None, "streamModeDetails", NOT_NULL)},
    ),
    ("UpdateMaxRecordSize", {}, {breaks(None, "maxRecordSizeInKiB", NOT_NULL)}),
    ("UpdateStreamWarmThroughput", {}, {breaks(None, "warmThroughputMiBps", NOT_NULL)}),
    (
        "UpdateStreamWarmThroughput",
        {"StreamName": "s", "WarmThroughputMiBps": -1},
        {breaks(-1, "warmThroughputMiBps", at_least(0))},
    ),
    (
        "UpdateAccountSettings",
        {},
        {breaks(None, "minimumThroughputBillingCommitment", NOT_NULL)},
    ),
    (
        "UpdateAccountSettings",
        {"MinimumThroughputBillingCommitment": {"Status": "X"}},
        {breaks("X", "minimumThroughputBillingCommitment.status", one_of("ENABLED", "DISABLED"))},
    ),
    ("PutResourcePolicy", {}, {breaks(None, "resourceARN", NOT_NULL), breaks(None, "policy", NOT_NULL)}),
    ("EnableEnhancedMonitoring", {"StreamName": "s"}, {breaks(None, "shardLevelMetrics", NOT_NULL)}),
    (
        "DisableEnhancedMonitoring",
        {"StreamName": "s", "ShardLevelMetrics": []},
        {breaks("[]", "shardLevelMetrics", longer(1))},
    ),
]


def constraints(text):
    """The parts of a message that have no order."""
    return {normal(words) for words in (text if isinstance(text, set) else violations(text))}


def normal(words):
    """Lists in brackets, of which AWS does not promise an order, are sorted."""
    head, bracket, tail = words.rpartition(": [")
    if not bracket or "constraint: Member must satisfy reg" in words:
        return words
    return head + bracket + ", ".join(sorted(tail.rstrip("]").split(", "))) + "]"


@pytest.mark.parametrize(("operation", "content", "expected"), ONE_EACH)
def test_violations_are_named(send, operation, content, expected):
    answer = send(operation, content)
    assert answer.error == "ValidationException", answer
    assert constraints(answer.message) == constraints(expected)


def test_at_most_ten_violations_are_listed(send):
    entries = [{"Data": "", "PartitionKey": ""}] * 12
    answer = send("PutRecords", {"StreamName": "s", "Records": entries})
    assert answer.error == "ValidationException"
    found = violations(answer.message)
    assert len(found) == 10
    assert found <= {breaks("", f"records.{index}.member.partitionKey", longer(1)) for index in range(1, 13)}


def test_data_over_10_mib_breaks_its_constraint(send, stream):
    data = "A" * (4 * (10 * 1024 * 1024 // 3 + 1))
    answer = send("PutRecord", {"StreamName": stream, "Data": data, "PartitionKey": "k"})
    assert answer.error == "ValidationException"
    # AWS shows no data.
    expect_message({breaks(UNSHOWN, "data", shorter(10485760))}, answer.message)


def test_null_is_the_same_as_absent_and_unknown_members_are_ignored(send, stream):
    answer = send("DescribeStreamSummary", {"StreamName": stream, "StreamARN": None, "Nonsense": [1, {"a": "b"}]})
    assert answer.status == 200
    answer = send("PutRecord", {"StreamName": stream, "Data": "AAAA", "PartitionKey": None})
    expect_message({breaks(None, "partitionKey", NOT_NULL)}, answer.message)
    answer = send(
        "PutRecord", {"StreamName": stream, "Data": "AAAA", "PartitionKey": "k", "ExplicitHashKey": None, "X": {}}
    )
    assert answer.status == 200


# Types are checked before constraints.

BIG = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"
TO_STRING = [
    (True, "class java.lang.Boolean can not be converted to an String"),
    (23, BIG),
    (["a"], "Start of list found where not expected"),
    ({"a": "b"}, "Start of structure or map found where not expected."),
]
STRINGS = [
    ("CreateStream", {"ShardCount": 1}, "StreamName"),
    ("DescribeStream", {}, "StreamName"),
    ("DescribeStream", {"StreamName": "s"}, "ExclusiveStartShardId"),
    ("PutRecord", {"StreamName": "s", "Data": ""}, "PartitionKey"),
    ("PutRecord", {"StreamName": "s", "Data": "", "PartitionKey": "k"}, "ExplicitHashKey"),
    ("GetShardIterator", {"StreamName": "s", "ShardId": "0"}, "ShardIteratorType"),
    ("GetRecords", {}, "ShardIterator"),
    ("SplitShard", {"StreamName": "s"}, "NewStartingHashKey"),
]


@pytest.mark.parametrize(("operation", "others", "member"), STRINGS)
@pytest.mark.parametrize(("value", "words"), TO_STRING)
def test_what_is_no_string(send, operation, others, member, value, words):
    answer = send(operation, {**others, member: value})
    assert (answer.error, answer.message) == ("SerializationException", words)


STRING_TO_INTEGER = "class java.lang.String can not be converted to an Integer"
BOOLEAN_TO_INTEGER = "class java.lang.Boolean can not be converted to an Integer"


@pytest.mark.parametrize(
    ("operation", "content", "words"),
    [
        ("CreateStream", {"StreamName": "s", "ShardCount": "1"}, STRING_TO_INTEGER),
        ("CreateStream", {"StreamName": "s", "ShardCount": True}, BOOLEAN_TO_INTEGER),
        ("DescribeStream", {"StreamName": "s", "Limit": "1"}, STRING_TO_INTEGER),
        ("DescribeStream", {"StreamName": "s", "Limit": []}, "Start of list found where not expected"),
        ("GetRecords", {"ShardIterator": "x", "Limit": {}}, "Start of structure or map found where not expected."),
        ("ListShards", {"StreamName": "s", "MaxResults": "5"}, STRING_TO_INTEGER),
        ("PutRecords", {"StreamName": "s", "Records": "x"}, "Expected list or null"),
        ("PutRecords", {"StreamName": "s", "Records": 5}, "Expected list or null"),
        ("PutRecords", {"StreamName": "s", "Records": ["x"]}, "Expected null"),
        ("PutRecords", {"StreamName": "s", "Records": [7]}, "Expected null"),
        ("RemoveTagsFromStream", {"StreamName": "s", "TagKeys": "a"}, "Expected list or null"),
        ("AddTagsToStream", {"StreamName": "s", "Tags": "a"}, "Expected map or null"),
        ("AddTagsToStream", {"StreamName": "s", "Tags": 4}, "Expected map or null"),
        ("CreateStream", {"StreamName": "s", "StreamModeDetails": "x"}, "Expected null"),
        (
            "DeleteStream",
            {"StreamName": "s", "EnforceConsumerDeletion": "23"},
            "'23' can not be converted to an Boolean",
        ),
    ],
)
def test_what_has_the_wrong_type(send, operation, content, words):
    answer = send(operation, content)
    assert (answer.error, answer.message) == ("SerializationException", words)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("23456", "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
        ("=bcd", "Invalid Base64 character: '='"),
        ("a=cd", "Invalid Base64 character: '='"),
        ("ab\\u00fcd", None),
        ("abc!", "Invalid Base64 character: '!'"),
        ("=+/=", "Invalid Base64 character: '='"),
        ("+/+=", "Invalid last non-pad Base64 character dectected"),
        ("abcdbb==", "Invalid last non-pad Base64 character dectected"),
    ],
)
@pytest.mark.parametrize("operation", ["PutRecord", "PutRecords"])
def test_what_is_no_base64(send, operation, written, words):
    record = f'{{"Data":"{written}","PartitionKey":"k"'
    if operation == "PutRecord":
        body = record + ',"StreamName":"s"}'
    else:
        body = '{"StreamName":"s","Records":[' + record + "}]}"
    answer = send(operation, body.encode())
    assert answer.error == "SerializationException"
    if words:
        assert answer.message == f"'{written}' can not be converted to a Blob: {words}"


def test_a_timestamp_that_is_none(send):
    keys = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "AT_TIMESTAMP"}
    for value in ("now", True):
        answer = send("GetShardIterator", {**keys, "Timestamp": value})
        assert answer.error == "SerializationException"
        assert answer.message.endswith(" can not be converted to milliseconds since epoch")


def test_too_large_integers_saturate(send):
    for written in (2**31, 2**63, 10**30):
        answer = send("GetRecords", {"ShardIterator": "x", "Limit": written})
        expect_message({breaks(2147483647, "limit", at_most(10000))}, answer.message)
    for written in (-(2**31) - 1, -(10**30)):
        answer = send("GetRecords", {"ShardIterator": "x", "Limit": written})
        expect_message({breaks(-2147483648, "limit", at_least(1))}, answer.message)


@pytest.mark.parametrize("body", [b"{", b"[]", b"null x", b'{"a":}', b'"text"', b"\xff\xfe", b"{'a':1}", b'{"a":1,}'])
def test_a_body_that_is_no_json_object(send, body):
    answer = send("DescribeStream", body)
    assert answer.error == "SerializationException"


def test_escapes_and_numbers_are_read_as_json_has_them(send, stream):
    text = "\\u006b\\ud83d\\ude00\\n"
    body = f'{{"StreamName":"{stream}","PartitionKey":"{text}","Data":"AAAA"}}'
    assert send("PutRecord", body.encode()).status == 200
    body = f' {{ "StreamName" : "{stream}" ,\n"Limit":1e0 }}\n'
    assert send("DescribeStream", body.encode()).status == 200
    at = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = send("GetShardIterator", at).content["ShardIterator"]
    records = send("GetRecords", {"ShardIterator": iterator, "Limit": 10.0}).content["Records"]
    assert [record["PartitionKey"] for record in records] == [json.loads(f'"{text}"')]
