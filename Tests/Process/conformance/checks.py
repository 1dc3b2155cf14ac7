"""What the tests say of answers."""

import re

import botocore.exceptions
import pytest

SHARD = "shardId-000000000000"
MOST = 2**128 - 1
MIDDLE = str(2**127)


def shard_id(index):
    return f"shardId-{index:012}"


def refused(code, call, message=None, **arguments):
    """The call must be refused with this code (or one of these) and, when given, this message: its text, a
    pattern, or a set of violations. Returns the message."""
    try:
        answer = call(**arguments)
    except botocore.exceptions.ClientError as error:
        found = error.response["Error"]
    else:
        del answer["ResponseMetadata"]
        pytest.fail(f"not refused: {call.__name__} {str(arguments)[:300]}: {str(answer)[:300]}")
    assert found["Code"] in ((code,) if isinstance(code, str) else code), found
    expect_message(message, found["Message"])
    return found["Message"]


def expect_message(expected, found):
    if isinstance(expected, str):
        assert found == expected
    elif isinstance(expected, re.Pattern):
        assert expected.fullmatch(found), f"{found!r} does not match {expected.pattern!r}"
    elif expected is not None:
        assert violations(found) == set(expected)


def violations(message):
    """The violations of a ValidationException as a set; their count must be the one that the message names."""
    head = re.match(r"(\d+) validation errors? detected: ", message)
    assert head, message
    found = re.split(r"; (?=Value )", message[head.end() :])
    count = int(head[1])
    assert count == len(found), message
    assert ("errors" in head[0]) == (count != 1), message
    return set(found)


# A value that AWS does not print.
UNSHOWN = object()


def breaks(value, path, constraint):
    """One violation as AWS words it; a value of None is a missing one."""
    shown = "Value null" if value is None else "Value" if value is UNSHOWN else f"Value '{value}'"
    return f"{shown} at '{path}' failed to satisfy constraint: {constraint}"


NOT_NULL = "Member must not be null"
NAME_PATTERN = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"


def shorter(limit):
    return f"Member must have length less than or equal to {limit}"


def longer(limit):
    return f"Member must have length greater than or equal to {limit}"


def at_most(limit):
    return f"Member must have value less than or equal to {limit}"


def at_least(limit):
    return f"Member must have value greater than or equal to {limit}"


def one_of(*names):
    return f"Member must satisfy enum value set: [{', '.join(names)}]"


def stream_missing(name, account="000000000000"):
    return f"Stream {name} under account {account} not found."


def hash_range(shard):
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])


def is_open(shard):
    return "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def expect_no_hole(shards):
    """The ranges cover every hash key; where a shard ended and its child began in one moment, both may be there."""
    reached = -1
    for start, end in sorted(hash_range(shard) for shard in shards):
        assert start <= reached + 1, f"nothing from {reached + 1} to {start - 1}"
        reached = max(reached, end)
    assert reached == MOST


def expect_cover(shards):
    """The ranges cover every hash key exactly once."""
    ranges = sorted(hash_range(shard) for shard in shards)
    assert ranges[0][0] == 0 and ranges[-1][1] == MOST, ranges
    for (_, end), (start, _) in zip(ranges, ranges[1:]):
        assert end + 1 == start, ranges


def expect_lineage(shards):
    """The open shards cover every key once; every child has its parents, covers what they covered, and its sequence
    numbers begin above their last."""
    by_id = {shard["ShardId"]: shard for shard in shards}
    assert len(by_id) == len(shards)
    expect_cover([shard for shard in shards if is_open(shard)])
    covered = {}
    for shard in shards:
        first = int(shard["SequenceNumberRange"]["StartingSequenceNumber"])
        parents = [shard[name] for name in ("ParentShardId", "AdjacentParentShardId") if name in shard]
        for parent in parents:
            numbers = by_id[parent]["SequenceNumberRange"]
            assert int(numbers["EndingSequenceNumber"]) < first, (parent, shard)
            covered.setdefault(parent, []).append(hash_range(shard))
        if len(parents) == 2:
            (a, b), (c, d) = (hash_range(by_id[parent]) for parent in parents)
            assert b + 1 == c and hash_range(shard) == (a, d), shard
        if not is_open(shard):
            assert int(shard["SequenceNumberRange"]["EndingSequenceNumber"]) >= first, shard
    for parent, ranges in covered.items():
        start, end = hash_range(by_id[parent])
        if len(ranges) == 2:
            ranges.sort()
            assert (ranges[0][0], ranges[1][1]) == (start, end) and ranges[0][1] + 1 == ranges[1][0], parent
        else:
            assert len(ranges) == 1 and ranges[0][0] <= start and end <= ranges[0][1], parent
    for shard in shards:
        assert is_open(shard) == (shard["ShardId"] not in covered), shard
