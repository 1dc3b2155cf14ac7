"""PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy."""

import json

from checks import refused


def policy(arn, action="kinesis:GetRecords"):
    # Blanks and order must come back as they are.
    statement = {"Effect": "Allow", "Sid": "one", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
    statement |= {"Action": [action], "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


def test_a_policy_is_kept_word_for_word_replaced_and_deleted(kinesis, streams, stream, consumer):
    arn = streams.arn(stream)
    for resource in (arn, consumer(stream, "reader")):
        assert kinesis.get_resource_policy(ResourceARN=resource)["Policy"] == "{}"
        refused("ResourceNotFoundException", kinesis.delete_resource_policy, ResourceARN=resource)
        for action in ("kinesis:GetRecords", "kinesis:DescribeStreamSummary"):
            kinesis.put_resource_policy(ResourceARN=resource, Policy=policy(resource, action))
            assert kinesis.get_resource_policy(ResourceARN=resource)["Policy"] == policy(resource, action)
        kinesis.delete_resource_policy(ResourceARN=resource)
        assert kinesis.get_resource_policy(ResourceARN=resource)["Policy"] == "{}"


def test_a_policy_is_refused_when_it_is_none(kinesis, unchecked, streams, stream):
    arn = streams.arn(stream)
    other = arn + "-other"
    for text in ("", "not json", "[]", "{}", '{"Version":"2012-10-17"}', policy(other)):
        codes = ("InvalidArgumentException", "ValidationException")
        refused(codes, kinesis.put_resource_policy, ResourceARN=arn, Policy=text)
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == "{}"
    for call, keys in [
        (kinesis.put_resource_policy, {"Policy": policy(other)}),
        (kinesis.get_resource_policy, {}),
        (kinesis.delete_resource_policy, {}),
    ]:
        refused("ResourceNotFoundException", call, ResourceARN=other, **keys)
    refused("ValidationException", unchecked.get_resource_policy, ResourceARN="not an arn")
    refused("ValidationException", unchecked.put_resource_policy, ResourceARN=arn)
