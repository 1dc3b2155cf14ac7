"""ListShards with every filter, SplitShard, MergeShards, UpdateShardCount."""

import time

import pytest

import aws
import shapes
import wire
from checks import (
    MIDDLE,
    MOST,
    SHARD,
    expect_cover,
    expect_lineage,
    expect_no_hole,
    hash_range,
    is_open,
    refused,
    shard_id,
)
from programs import ACCOUNT

FILTERS = [
    "AFTER_SHARD_ID",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "AT_TRIM_HORIZON",
    "FROM_TIMESTAMP",
    "FROM_TRIM_HORIZON",
]


def ids(shards):
    return [int(shard["ShardId"][-4:]) for shard in shards]


@pytest.fixture
def listed(collector):
    """The shards by a filter. Not through boto3, which cuts times off to seconds."""

    def shards(name, kind=None, **keys):
        filters = {"ShardFilter": {"Type": kind, **keys}} if kind else keys
        answer = wire.call(collector, "ListShards", {"StreamName": name, **filters})
        assert answer.status == 200, answer
        shapes.check_answer("ListShards", answer.status, answer.headers, answer.body)
        return answer.content["Shards"]

    return shards


def now():
    """Seconds, to the millisecond."""
    return round(time.time(), 3)


def settle():
    """The next moment is another millisecond, and so a later one for every filter."""
    time.sleep(0.02)


# ListShards


def test_filters_choose_by_time_and_state(streams, listed):
    before = now()
    name = streams.create(2)
    settle()
    with_two = now()
    settle()
    streams.split(name, shard_id(0), 2**126)  # 2 and 3
    settle()
    with_three = now()
    settle()
    streams.merge(name, shard_id(3), shard_id(1))  # 4
    settle()
    with_two_again = now()

    assert ids(listed(name)) == [0, 1, 2, 3, 4]
    assert ids(listed(name, "AT_LATEST")) == [2, 4]
    assert ids(listed(name, "FROM_TRIM_HORIZON")) == [0, 1, 2, 3, 4]
    # What was open where retention begins: KCL starts with these, and follows their children.
    assert ids(listed(name, "AT_TRIM_HORIZON")) == [0, 1]
    for moment, open_then in [(with_two, [0, 1]), (with_three, [1, 2, 3]), (with_two_again, [2, 4])]:
        shards = listed(name, "AT_TIMESTAMP", Timestamp=moment)
        assert ids(shards) == open_then
        expect_cover(shards)
    for moment, not_over_then in [(with_two, [0, 1, 2, 3, 4]), (with_three, [1, 2, 3, 4]), (with_two_again, [2, 4])]:
        assert ids(listed(name, "FROM_TIMESTAMP", Timestamp=moment)) == not_over_then
    # Before the trim horizon is at it.
    assert ids(listed(name, "AT_TIMESTAMP", Timestamp=before - 3 * 86400)) == [0, 1]
    assert ids(listed(name, "FROM_TIMESTAMP", Timestamp=before - 3 * 86400)) == [0, 1, 2, 3, 4]
    assert ids(listed(name, "AFTER_SHARD_ID", ShardId=shard_id(2))) == [3, 4]
    assert ids(listed(name, ExclusiveStartShardId=shard_id(2))) == [3, 4]


def test_every_moment_of_quick_reshards_has_a_whole_cover(kinesis, streams, listed):
    """KCL starts at any moment, and refuses a list with a hole."""
    name = streams.create(1)
    settle()
    moments = [now()]
    for _ in range(6):
        open_ones = [shard for shard in listed(name) if is_open(shard)]
        low, high = hash_range(open_ones[-1])
        kinesis.split_shard(
            StreamName=name, ShardToSplit=open_ones[-1]["ShardId"], NewStartingHashKey=str((low + high) // 2)
        )
        streams.active(name)
        moments.append(now())
    step = (moments[-1] - moments[0]) / 40
    for index in range(40):
        expect_no_hole(listed(name, "AT_TIMESTAMP", Timestamp=round(moments[0] + step * index, 3)))


def test_filters_are_refused_when_something_is_missing(kinesis, stream):
    def refuse(code, **shard_filter):
        return refused(code, kinesis.list_shards, StreamName=stream, ShardFilter=shard_filter)

    for kind in ("AT_TIMESTAMP", "FROM_TIMESTAMP"):
        refuse("InvalidArgumentException", Type=kind)
    refuse("InvalidArgumentException", Type="AFTER_SHARD_ID")


def test_shards_are_listed_in_pages(kinesis, streams):
    name = streams.create(7)
    seen, token, sizes = [], None, []
    while True:
        start = {"NextToken": token} if token else {"StreamName": name}
        page = kinesis.list_shards(MaxResults=3, **start)
        seen += ids(page["Shards"])
        sizes.append(len(page["Shards"]))
        token = page.get("NextToken")
        if not token:
            break
    assert (seen, sizes) == (list(range(7)), [3, 3, 1])
    # A full last page tells that it is the last.
    page = kinesis.list_shards(StreamName=name, MaxResults=7)
    assert len(page["Shards"]) == 7 and "NextToken" not in page
    # The token keeps the filter.
    streams.split(name, shard_id(0), 1000)
    page = kinesis.list_shards(StreamName=name, MaxResults=4, ShardFilter={"Type": "AT_LATEST"})
    rest = kinesis.list_shards(NextToken=page["NextToken"])
    assert ids(page["Shards"]) + ids(rest["Shards"]) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_page_has_at_most_a_thousand_shards(kinesis, streams):
    name = streams.create(1010)
    page = kinesis.list_shards(StreamName=name, MaxResults=10000)
    assert len(page["Shards"]) == 1000
    assert ids(kinesis.list_shards(NextToken=page["NextToken"])["Shards"]) == list(range(1000, 1010))


def test_a_token_excludes_what_it_already_says(kinesis, unchecked, streams):
    name = streams.create(3)
    token = kinesis.list_shards(StreamName=name, MaxResults=1)["NextToken"]
    created = streams.summary(name)["StreamCreationTimestamp"]
    for keys in (
        {"StreamName": name},
        {"StreamCreationTimestamp": created},
        {"ExclusiveStartShardId": SHARD},
    ):
        refused("InvalidArgumentException", kinesis.list_shards, NextToken=token, **keys)
    for bad in ("AAAA", token[:-4], token[:-6] + "AAAAAA", "not base64!"):
        refused("InvalidArgumentException", kinesis.list_shards, NextToken=bad)
    refused("ValidationException", unchecked.list_shards, NextToken="")
    for results in (0, 10001):
        refused("ValidationException", unchecked.list_shards, StreamName=name, MaxResults=results)
    listed = kinesis.list_shards(StreamName=name, StreamCreationTimestamp=created)["Shards"]
    assert len(listed) == 3


# SplitShard


def test_a_split_closes_the_parent_and_adds_two_children_in_order(kinesis, streams, listed):
    name = streams.create(2)
    streams.split(name, shard_id(1), 2**127 + 12345)
    shards = listed(name)
    expect_lineage(shards)
    assert ids(shards) == [0, 1, 2, 3]
    assert [hash_range(shard) for shard in shards[2:]] == [(2**127, 2**127 + 12344), (2**127 + 12345, MOST)]
    assert [shard["ParentShardId"] for shard in shards[2:]] == [shard_id(1)] * 2
    assert all("AdjacentParentShardId" not in shard for shard in shards)
    assert hash_range(shards[1]) == (2**127, MOST)
    assert streams.summary(name)["OpenShardCount"] == 3
    for hash_key, index in [(0, 0), (2**127, 2), (2**127 + 12344, 2), (2**127 + 12345, 3), (MOST, 3)]:
        put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey=str(hash_key))
        assert put["ShardId"] == shard_id(index)


def test_a_split_needs_a_key_inside_of_the_shard(kinesis, streams):
    name = streams.create(2)
    for index, (low, high) in enumerate([(0, 2**127 - 1), (2**127, MOST)]):
        for key in (low, low + 1, high, high + 1 if index == 0 else 5):
            words = (
                f"NewStartingHashKey {key} used in SplitShard() on shard {shard_id(index)} in stream {name} under "
                f"account {ACCOUNT} is not both greater than one plus the shard's StartingHashKey {low} and less than "
                f"the shard's EndingHashKey {high}."
            )
            refused(
                "InvalidArgumentException",
                kinesis.split_shard,
                words,
                StreamName=name,
                ShardToSplit=shard_id(index),
                NewStartingHashKey=str(key),
            )
    # The narrowest that is allowed, at both ends.
    streams.split(name, shard_id(0), 2)
    streams.split(name, shard_id(1), MOST - 1)
    ranges = sorted(hash_range(shard) for shard in kinesis.list_shards(StreamName=name)["Shards"][2:])
    assert ranges == [(0, 1), (2, 2**127 - 1), (2**127, MOST - 2), (MOST - 1, MOST)]


def test_reshards_name_what_is_not_there(kinesis, stream):
    gone = f"Could not find shard {shard_id(9)} in stream {stream} under account {ACCOUNT}."
    refused(
        "ResourceNotFoundException",
        kinesis.split_shard,
        gone,
        StreamName=stream,
        ShardToSplit=shard_id(9),
        NewStartingHashKey=MIDDLE,
    )
    for pair in [(SHARD, shard_id(9)), (shard_id(9), SHARD)]:
        refused(
            "ResourceNotFoundException",
            kinesis.merge_shards,
            gone,
            StreamName=stream,
            ShardToMerge=pair[0],
            AdjacentShardToMerge=pair[1],
        )
    # A name that is none.
    refused(
        "ResourceNotFoundException",
        kinesis.split_shard,
        StreamName=stream,
        ShardToSplit="shardId-x",
        NewStartingHashKey=MIDDLE,
    )


def test_shard_names_are_read_leniently(kinesis, streams):
    name = streams.create(2)
    for written in ("1", "shard-1", "shardId-1", "shardId-000000000001", "x-0001"):
        at = kinesis.get_shard_iterator(StreamName=name, ShardId=written, ShardIteratorType="LATEST")
        assert kinesis.get_records(ShardIterator=at["ShardIterator"])["Records"] == []
    words = f"Shard {shard_id(5)} in stream {name} under account {ACCOUNT} does not exist"
    keys = {"StreamName": name, "ShardIteratorType": "LATEST"}
    for written in ("5", "shardId-5"):
        refused("ResourceNotFoundException", kinesis.get_shard_iterator, words, ShardId=written, **keys)
    for written in ("shard", "shardId-", "shardId-2147483648", "shardId-1-1", "-"):
        refused("ResourceNotFoundException", kinesis.get_shard_iterator, ShardId=written, **keys)


def test_a_closed_shard_is_not_resharded_again(kinesis, streams):
    name = streams.create(2)
    streams.split(name, shard_id(0), 1000)
    words = (
        f"Shard {shard_id(0)} in stream {name} under account {ACCOUNT} has already been merged or split, and thus is "
        "not eligible for merging or splitting."
    )
    split = {"StreamName": name, "ShardToSplit": shard_id(0), "NewStartingHashKey": "2000"}
    refused("InvalidArgumentException", kinesis.split_shard, words, **split)
    merge = {"StreamName": name, "ShardToMerge": shard_id(0), "AdjacentShardToMerge": shard_id(1)}
    refused("InvalidArgumentException", kinesis.merge_shards, words, **merge)


# MergeShards


def test_a_merge_closes_both_and_adds_one(streams, listed):
    name = streams.create(3)
    streams.merge(name, shard_id(1), shard_id(2))
    shards = listed(name)
    expect_lineage(shards)
    merged = shards[3]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == (shard_id(1), shard_id(2))
    assert hash_range(merged) == (hash_range(shards[1])[0], MOST)
    assert [is_open(shard) for shard in shards] == [True, False, False, True]


def test_a_merge_needs_two_neighbours_the_lower_one_first(kinesis, streams):
    name = streams.create(3)
    for one, two in [(0, 2), (1, 0), (2, 1), (1, 1)]:
        words = (
            f"Shards {shard_id(one)} and {shard_id(two)} in stream {name} under account {ACCOUNT} are not an adjacent "
            "pair of shards eligible for merging"
        )
        refused(
            "InvalidArgumentException",
            kinesis.merge_shards,
            words,
            StreamName=name,
            ShardToMerge=shard_id(one),
            AdjacentShardToMerge=shard_id(two),
        )


# UpdateShardCount


@pytest.mark.parametrize(
    ("count", "target", "total"), [(2, 4, 6), (4, 5, 15), (10, 13, 37), (4, 2, 6), (5, 3, 7), (10, 5, 15)]
)
def test_scaling_ends_with_the_wished_for_count_and_awss_number_of_shards(
    kinesis, streams, listed, count, target, total
):
    name = streams.create(count)
    answer = kinesis.update_shard_count(StreamName=name, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
    del answer["ResponseMetadata"]
    assert answer == {
        "StreamName": name,
        "StreamARN": aws.stream_arn(name),
        "CurrentShardCount": count,
        "TargetShardCount": target,
    }
    streams.active(name)
    shards = listed(name)
    expect_lineage(shards)
    assert streams.summary(name)["OpenShardCount"] == target
    assert len(shards) == total
    if target % count == 0 or count % target == 0:
        # Merging keeps the boundaries of the parents, which were rounded down on their own.
        starts = sorted(hash_range(shard)[0] for shard in shards if is_open(shard))
        for index, start in enumerate(starts):
            assert abs(start - index * (2**128 // target)) < count


def test_a_shard_of_two_keys_does_not_stand_in_the_way_of_scaling(kinesis, streams, listed):
    name = streams.create()
    streams.split(name, SHARD, 2)
    kinesis.update_shard_count(StreamName=name, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    streams.active(name)
    expect_lineage(listed(name))
    assert streams.summary(name)["OpenShardCount"] == 4


def test_scaling_to_the_same_count_leaves_it(kinesis, streams, listed):
    name = streams.create(2)
    kinesis.update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    streams.active(name)
    shards = listed(name)
    expect_lineage(shards)
    assert len([shard for shard in shards if is_open(shard)]) == 2


def test_scaling_has_constraints(unchecked, stream):
    for keys in (
        {"TargetShardCount": 0, "ScalingType": "UNIFORM_SCALING"},
        {"TargetShardCount": 2, "ScalingType": "OTHER"},
        {"TargetShardCount": 2},
        {"ScalingType": "UNIFORM_SCALING"},
    ):
        refused("ValidationException", unchecked.update_shard_count, StreamName=stream, **keys)
