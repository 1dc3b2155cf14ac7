"""AddTagsToStream, RemoveTagsFromStream, ListTagsForStream; TagResource, UntagResource, ListTagsForResource."""

import pytest

from checks import breaks, longer, refused, shorter, stream_missing
from programs import ACCOUNT

BAD = "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @."


def tags_of(kinesis, name):
    return {tag["Key"]: tag["Value"] for tag in kinesis.list_tags_for_stream(StreamName=name)["Tags"]}


def test_tags_are_added_overwritten_and_removed(kinesis, stream):
    assert kinesis.list_tags_for_stream(StreamName=stream)["Tags"] == []
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"one": "1", "two": "", "drei ü": "a b_.:/=+-@"})
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"two": "2"})
    assert tags_of(kinesis, stream) == {"one": "1", "two": "2", "drei ü": "a b_.:/=+-@"}
    kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["one", "unknown"])
    assert tags_of(kinesis, stream) == {"two": "2", "drei ü": "a b_.:/=+-@"}


def test_both_families_show_the_same_tags(kinesis, streams, stream):
    arn = streams.arn(stream)
    kinesis.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"c": "3"})
    assert tags_of(kinesis, stream) == {"a": "1", "b": "2", "c": "3"}
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["b", "none"])
    listed = kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert sorted((tag["Key"], tag["Value"]) for tag in listed) == [("a", "1"), ("c", "3")]
    refused("ResourceNotFoundException", kinesis.list_tags_for_resource, ResourceARN=arn + "-none")
    refused("ResourceNotFoundException", kinesis.tag_resource, ResourceARN=arn + "-none", Tags={"a": "b"})
    refused("ResourceNotFoundException", kinesis.untag_resource, ResourceARN=arn + "-none", TagKeys=["a"])


def test_a_consumer_has_tags_of_its_own(kinesis, streams, stream):
    arn = streams.arn(stream)
    answer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="tagged", Tags={"born": "with"})
    consumer = answer["Consumer"]["ConsumerARN"]
    kinesis.tag_resource(ResourceARN=consumer, Tags={"later": "2"})
    tags = kinesis.list_tags_for_resource(ResourceARN=consumer)["Tags"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("born", "with"), ("later", "2")]
    kinesis.untag_resource(ResourceARN=consumer, TagKeys=["born"])
    assert kinesis.list_tags_for_resource(ResourceARN=consumer)["Tags"] == [{"Key": "later", "Value": "2"}]
    assert tags_of(kinesis, stream) == {}


def test_tags_are_listed_by_key_in_pages(kinesis, stream):
    tags = {f"key {index:02}": str(index) for index in range(25)}
    kinesis.add_tags_to_stream(StreamName=stream, Tags=tags)
    page = kinesis.list_tags_for_stream(StreamName=stream, Limit=10)
    assert ([tag["Key"] for tag in page["Tags"]], page["HasMoreTags"]) == (sorted(tags)[:10], True)
    page = kinesis.list_tags_for_stream(StreamName=stream, ExclusiveStartTagKey="key 09")
    assert ([tag["Key"] for tag in page["Tags"]], page["HasMoreTags"]) == (sorted(tags)[10:], False)
    # The start need not exist.
    page = kinesis.list_tags_for_stream(StreamName=stream, ExclusiveStartTagKey="key 098", Limit=1)
    assert ([tag["Key"] for tag in page["Tags"]], page["HasMoreTags"]) == (["key 10"], True)


def test_a_stream_has_at_most_fifty_tags(kinesis, stream):
    kinesis.add_tags_to_stream(StreamName=stream, Tags={f"k{index}": "v" for index in range(50)})
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"k3": "new"})
    message = refused("InvalidArgumentException", kinesis.add_tags_to_stream, StreamName=stream, Tags={"one": "more"})
    assert message == (
        f"Failed to add tags to stream {stream} under account {ACCOUNT} because a given stream cannot have more than "
        "10 tags associated with it."
    )
    assert len(tags_of(kinesis, stream)) == 50 and tags_of(kinesis, stream)["k3"] == "new"


@pytest.mark.parametrize("tags", [{"a;b": "v"}, {"k": "a*b"}, {"emoji 🔑": "v"}, {"k": "a,b"}])
def test_characters_that_no_tag_may_have(kinesis, stream, tags):
    refused("InvalidArgumentException", kinesis.add_tags_to_stream, BAD, StreamName=stream, Tags=tags)
    assert tags_of(kinesis, stream) == {}


def test_a_percent_sign_passes_the_first_check_and_fails_the_second(kinesis, stream):
    words = (
        f"Failed to add tags to stream {stream} under account {ACCOUNT} because some tags contained illegal "
        "characters. The allowed characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@'."
    )
    refused("InvalidArgumentException", kinesis.add_tags_to_stream, words, StreamName=stream, Tags={"a": "5%"})


def test_a_key_may_not_start_like_awss_own(kinesis, stream):
    refused("InvalidArgumentException", kinesis.add_tags_to_stream, StreamName=stream, Tags={"aws:k": "v"})


def test_tag_constraints(unchecked, stream):
    long = "k" * 129
    refused("ValidationException", unchecked.add_tags_to_stream, StreamName=stream, Tags={})
    refused("ValidationException", unchecked.add_tags_to_stream, StreamName=stream, Tags={long: "v"})
    refused("ValidationException", unchecked.add_tags_to_stream, StreamName=stream, Tags={"k": "v" * 257})
    many = {f"k{index}": "" for index in range(201)}
    refused("ValidationException", unchecked.add_tags_to_stream, StreamName=stream, Tags=many)
    refused("ValidationException", unchecked.remove_tags_from_stream, StreamName=stream, TagKeys=[])
    refused("ValidationException", unchecked.remove_tags_from_stream, StreamName=stream, TagKeys=[long])
    refused(
        "ValidationException",
        unchecked.list_tags_for_stream,
        {breaks("", "exclusiveStartTagKey", longer(1))},
        StreamName=stream,
        ExclusiveStartTagKey="",
    )
    refused(
        "ValidationException",
        unchecked.list_tags_for_stream,
        {breaks(long, "exclusiveStartTagKey", shorter(128))},
        StreamName=stream,
        ExclusiveStartTagKey=long,
    )
    refused(
        "ResourceNotFoundException",
        unchecked.add_tags_to_stream,
        stream_missing("no"),
        StreamName="no",
        Tags={"a": "b"},
    )
