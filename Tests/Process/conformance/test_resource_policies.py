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
        named = ("DescribeStreamConsumer", "SubscribeToShard") if "/consumer/" in resource else ("GetRecords", "PutRecord")
        for action in ("kinesis:" + name for name in named):
            kinesis.put_resource_policy(ResourceARN=resource, Policy=policy(resource, action))
            assert kinesis.get_resource_policy(ResourceARN=resource)["Policy"] == policy(resource, action)
        kinesis.delete_resource_policy(ResourceARN=resource)
        assert kinesis.get_resource_policy(ResourceARN=resource)["Policy"] == "{}"


def test_a_policy_is_refused_when_it_is_none(kinesis, unchecked, streams, stream):
    arn = streams.arn(stream)
    other = arn + "-other"
    invalid = "This policy contains invalid Json"
    stranger = "The resource policy's resource must be the same as the resource ARN."
    unknown = 'The following action names are invalid: "kinesis:SubscribeToShard"'
    place = "Resource policy contains invalid statement at line 4, column 3: "
    for text, message in [
        ("", invalid),
        ("not json", invalid),
        ("[]", invalid),
        ("{}", "Missing required field Version"),
        ('{"Version":"2012-10-17"}', "Missing required field Statement"),
        (policy(other), place + stranger),
        (policy(arn, "kinesis:SubscribeToShard"), place + unknown),
    ]:
        call, message = kinesis.put_resource_policy, "Policy validation error: " + message
        assert refused("InvalidArgumentException", call, ResourceARN=arn, Policy=text) == message
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == "{}"
    for call, keys in [
        (kinesis.put_resource_policy, {"Policy": policy(other)}),
        (kinesis.get_resource_policy, {}),
        (kinesis.delete_resource_policy, {}),
    ]:
        refused("ResourceNotFoundException", call, ResourceARN=other, **keys)
    refused("ValidationException", unchecked.get_resource_policy, ResourceARN="not an arn")
    refused("ValidationException", unchecked.put_resource_policy, ResourceARN=arn)
