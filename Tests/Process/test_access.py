"""Access keys with policies, resource policies and session tokens, as boto3 meets them."""

import json
import os
import signal
import subprocess
import time

import botocore.exceptions
import pytest

import aws
from programs import ACCOUNT, BINARIES, REGION, eventually, run_program

STRANGER = "111122223333"


def allow(action, resource="*", **condition):
    return statement("Allow", action, resource, **condition)


def deny(action, resource="*", **condition):
    return statement("Deny", action, resource, **condition)


def statement(effect, action, resource, **condition):
    made = {"Effect": effect, "Action": action, "Resource": resource}
    if condition:
        made["Condition"] = condition
    return made


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


class Access:
    """A collector with a collector.json that tests write."""

    def __init__(self, stage):
        self.config = stage.folder / "collector.json"
        self.keys = []
        self.policies = {}
        self.write()
        self.collector = stage.collector(extra=["--config", self.config])
        self.root = self.service("kinesis")

    def write(self, text=None):
        """Replaces the file in one step, as a careful editor does."""
        text = text or json.dumps({"policies": self.policies, "accessKeys": self.keys}, indent=2)
        new = self.config.with_suffix(".new")
        new.write_text("// written by a test\n" + text)
        os.replace(new, self.config)

    def add(self, name, *policies, **more):
        """A key of a user; its credentials."""
        key = {"accessKeyId": f"AKIA{name.upper()}", "secretAccessKey": f"secret-of-{name}", "userName": name}
        self.keys.append({**key, "policies": list(policies), **more})
        self.write()
        return key["accessKeyId"], key["secretAccessKey"]

    def reload(self):
        """Tells the collector to read the file, and waits until it has."""
        before = self.log().count("keys and policies were read again")
        self.collector.process.send_signal(signal.SIGHUP)
        eventually(
            lambda: self.log().count("keys and policies were read again") > before, 10, what="the file is read again"
        )

    def service(self, name, credentials=None, **keys):
        return aws.client(name, self.collector, credentials=credentials, **keys)

    def log(self):
        return self.collector.err.read_text()


@pytest.fixture
def access(stage):
    return Access(stage)


def refused(call, code="AccessDeniedException"):
    """The message of a call that must be refused."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code, caught.value
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Message"]


def test_a_key_that_may_read_cannot_put(access):
    aws.create_stream(access.root, "s")
    access.policies["readers"] = policy(
        allow(["kinesis:Get*", "kinesis:List*", "kinesis:Describe*"]),
    )
    reader = access.service("kinesis", access.add("reader", "readers"))
    access.reload()
    access.root.put_record(StreamName="s", Data=b"x", PartitionKey="k")
    assert aws.StreamReader(reader, "s").read().texts == ["x"]
    assert reader.list_streams()["StreamNames"] == ["s"]
    message = refused(lambda: reader.put_record(StreamName="s", Data=b"y", PartitionKey="k"))
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/reader is not authorized to perform: kinesis:PutRecord on resource: "
        f"{aws.stream_arn('s')} because no identity-based policy allows the kinesis:PutRecord action"
    )
    records = [{"Data": b"y", "PartitionKey": "k"}]
    refused(lambda: reader.put_records(StreamName="s", Records=records))
    refused(lambda: reader.put_records(StreamARN=aws.stream_arn("s"), Records=records))
    refused(lambda: reader.delete_stream(StreamName="s"))
    # Nothing is told of streams that are not there, either.
    refused(lambda: reader.put_record(StreamName="nowhere", Data=b"y", PartitionKey="k"))
    assert aws.StreamReader(reader, "s").read().texts == ["x"]


def test_names_with_wildcards_and_an_explicit_deny(access):
    for name in ["team-a-logs", "team-a-secret", "team-b-logs"]:
        aws.create_stream(access.root, name)
    writer = access.service(
        "kinesis",
        access.add(
            "a",
            policy(
                allow("kinesis:*", f"arn:aws:kinesis:*:{ACCOUNT}:stream/team-${{aws:username}}-*"),
                deny("kinesis:Put*", f"arn:aws:kinesis:*:{ACCOUNT}:stream/*-secret"),
            ),
        ),
    )
    access.reload()

    def put(name):
        return writer.put_record(StreamName=name, Data=b"x", PartitionKey="k")

    put("team-a-logs")
    assert "with an explicit deny in an identity-based policy" in refused(lambda: put("team-a-secret"))
    writer.describe_stream_summary(StreamName="team-a-secret")
    refused(lambda: put("team-b-logs"))
    assert "on resource: * because no identity-based policy" in refused(writer.list_streams)
    writer.create_stream(StreamName="team-a-new", ShardCount=1)
    refused(lambda: writer.create_stream(StreamName="team-b-new", ShardCount=1))


def test_conditions_on_where_a_call_comes_from_and_on_tags(access):
    aws.create_stream(access.root, "s")
    aws.create_stream(access.root, "t")
    access.root.add_tags_to_stream(StreamName="t", Tags={"team": "blue"})
    near = policy(allow("kinesis:*", IpAddress={"aws:SourceIp": "127.0.0.0/8"}))
    far = policy(allow("kinesis:*", IpAddress={"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}))
    region = policy(allow("kinesis:*", StringEquals={"aws:RequestedRegion": "eu-west-1"}))
    tls = policy(allow("kinesis:*"), deny("kinesis:*", Bool={"aws:SecureTransport": "false"}))
    agent = policy(allow("kinesis:*", StringLike={"aws:UserAgent": "Boto3/*"}))
    tagged = policy(allow("kinesis:*", StringEquals={"aws:ResourceTag/team": "blue"}))
    made = {
        name: access.add(name, document)
        for name, document in {
            "near": near, "far": far, "region": region, "tls": tls, "agent": agent, "tagged": tagged
        }.items()
    }  # fmt: skip
    access.reload()

    def describe(who, stream="s", **keys):
        return access.service("kinesis", made[who], **keys).describe_stream_summary(StreamName=stream)

    describe("near")
    describe("agent")
    describe("tagged", "t")
    refused(lambda: describe("far"))
    refused(lambda: describe("tls"))
    refused(lambda: describe("region"))
    refused(lambda: describe("region", region="eu-west-1"), "ResourceNotFoundException")
    refused(lambda: describe("tagged", "s"))


def test_an_edit_counts_without_a_restart_and_a_broken_one_changes_nothing(access):
    aws.create_stream(access.root, "s")
    user = access.service("kinesis", ("AKIANEW", "secret-of-new"))
    unknown = "The security token included in the request is invalid."
    assert refused(user.list_streams, "UnrecognizedClientException") == unknown

    def soon(call, seconds=5):
        """Waits until the call succeeds; how long it took."""
        start = time.monotonic()

        def works():
            try:
                call()
                return True
            except botocore.exceptions.ClientError:
                return False

        eventually(works, seconds, 0.02, "the edit counts")
        return time.monotonic() - start

    access.add("new", policy(allow("kinesis:ListStreams")))
    assert soon(user.list_streams) < 2.5
    refused(lambda: user.describe_stream(StreamName="s"))

    access.keys[0]["policies"] = [policy(allow("kinesis:*"))]
    access.write()
    assert soon(lambda: user.describe_stream(StreamName="s")) < 2.5

    access.write('{ "accessKeys": [ { "accessKeyId": "AKIANEW", "userNme": "x" } ],\n "policies": { "p": [] } }')
    eventually(lambda: "keys and policies stay as they were" in access.log(), 5, what="the broken edit is told")
    for words in [
        f"{access.config}:2: accessKeys[0].userNme: is no key that is known here; did you mean userName?",
        f"{access.config}:3: policies.p: found a list, expected a policy document",
    ]:
        assert words in access.log()
    user.describe_stream(StreamName="s")

    access.keys.clear()
    access.write()
    eventually(lambda: "AccessDenied" not in str(last_code(user.list_streams)) and last_code(user.list_streams), 5)
    assert refused(user.list_streams, "UnrecognizedClientException") == unknown
    assert "secret-of-new" not in access.log()

    # The credentials file too: a second key of the account itself.
    path = access.collector.data / "credentials"
    path.write_text(path.read_text() + "[second]\naws_access_key_id = MRSECOND\naws_secret_access_key = other\n")
    assert soon(access.service("kinesis", ("MRSECOND", "other")).list_streams) < 2.5


def last_code(call):
    """The error's code; None when the call succeeds."""
    try:
        call()
        return None
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]


def test_lease_tables_and_delivery_streams_ask_policies_too(access):
    schema = {
        "KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    aws.create_stream(access.root, "s")
    aws.create_delivery_stream(access.service("firehose"), "out")
    tables = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/app-*"
    credentials = access.add(
        "worker",
        policy(
            allow("dynamodb:*", tables),
            deny("dynamodb:DeleteTable"),
            allow("firehose:PutRecord*", f"arn:aws:firehose:*:*:deliverystream/out"),
            allow("firehose:CreateDeliveryStream"),
        ),
    )
    access.reload()
    dynamodb = access.service("dynamodb", credentials)
    dynamodb.create_table(TableName="app-1", **schema)
    dynamodb.put_item(TableName="app-1", Item={"leaseKey": {"S": "a"}})
    assert dynamodb.scan(TableName="app-1")["Count"] == 1
    message = refused(lambda: dynamodb.delete_table(TableName="app-1"))
    assert message.endswith("with an explicit deny in an identity-based policy")
    message = refused(lambda: dynamodb.get_item(TableName="other", Key={"leaseKey": {"S": "a"}}))
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/worker is not authorized to perform: dynamodb:GetItem on resource: "
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/other because no identity-based policy allows the dynamodb:GetItem action"
    )
    refused(dynamodb.list_tables)

    firehose = access.service("firehose", credentials)
    firehose.put_record(DeliveryStreamName="out", Record={"Data": b"x\n"})
    firehose.put_record_batch(DeliveryStreamName="out", Records=[{"Data": b"y\n"}])
    refused(lambda: firehose.put_record(DeliveryStreamName="other", Record={"Data": b"x\n"}))
    refused(lambda: firehose.describe_delivery_stream(DeliveryStreamName="out"))
    refused(firehose.list_delivery_streams)
    # Who may not read a stream may not have it delivered.
    message = refused(lambda: aws.create_delivery_stream(firehose, "spy", source="s"))
    assert f"on resource: {aws.stream_arn('s')}" in message
    eventually(lambda: sorted(aws.delivered_lines(access.collector)) == ["x", "y"], 20, what="the puts are delivered")


def test_session_tokens_must_be_right_and_have_an_end(access):
    def end(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))

    lists = policy(allow("kinesis:ListStreams"))
    key, secret = access.add("temp", lists, sessionToken="token-1", expires=end(3600))
    old, old_secret = access.add("old", lists, sessionToken="token-2", expires=end(-1))
    plain, plain_secret = access.add("plain", lists)
    role = {"roleName": "team/reader", "sessionName": "s1", "userName": None}
    access.add("role", lists, sessionToken="token-3", **role)
    access.reload()

    access.service("kinesis", (key, secret, "token-1")).list_streams()
    invalid = "The security token included in the request is invalid."
    for credentials in [(key, secret), (key, secret, "token-2"), (plain, plain_secret, "token-1")]:
        message = refused(access.service("kinesis", credentials).list_streams, "UnrecognizedClientException")
        assert message == invalid
    message = refused(access.service("kinesis", (old, old_secret, "token-2")).list_streams, "ExpiredTokenException")
    assert message == "The security token included in the request is expired"
    session = access.service("kinesis", ("AKIAROLE", "secret-of-role", "token-3"))
    session.list_streams()
    message = refused(lambda: session.describe_stream(StreamName="s"))
    assert message.startswith(f"User: arn:aws:sts::{ACCOUNT}:assumed-role/reader/s1 is not authorized")

    # One that ends while it is used.
    access.keys[0]["expires"] = end(2)
    access.write()
    access.reload()
    temporary = access.service("kinesis", (key, secret, "token-1"))
    eventually(lambda: last_code(temporary.list_streams) == "ExpiredTokenException", 10, what="the token ends")


def test_a_stream_is_shared_with_another_account_by_its_own_policy(access):
    aws.create_stream(access.root, "s")
    access.root.put_record(StreamName="s", Data=b"x", PartitionKey="k")
    arn = aws.stream_arn("s")
    friend = access.service("kinesis", access.add("friend", policy(allow("kinesis:*")), account=STRANGER))
    powerless = access.service("kinesis", access.add("powerless", account=STRANGER))
    local = access.service("kinesis", access.add("local"))
    access.reload()
    message = refused(lambda: friend.list_shards(StreamARN=arn))
    assert message.endswith("because no resource-based policy allows the kinesis:ListShards action")
    message = refused(lambda: friend.list_shards(StreamName="s"), "ResourceNotFoundException")
    assert message == f"Stream s under account {STRANGER} not found."

    reading = ["kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"]
    shared = {
        "Version": "2012-10-17",
        "Statement": [
            {**allow(reading, arn), "Principal": {"AWS": f"arn:aws:iam::{STRANGER}:root"}},
            {**allow("kinesis:PutRecord", arn), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/local"}},
        ],
    }
    access.root.put_resource_policy(ResourceARN=arn, Policy=json.dumps(shared))
    shard = friend.list_shards(StreamARN=arn)["Shards"][0]["ShardId"]
    position = {"StreamARN": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = friend.get_shard_iterator(**position)["ShardIterator"]
    assert [record["Data"] for record in friend.get_records(ShardIterator=iterator, StreamARN=arn)["Records"]] == [b"x"]
    refused(lambda: friend.put_record(StreamARN=arn, Data=b"y", PartitionKey="k"))
    message = refused(lambda: powerless.list_shards(StreamARN=arn))
    assert message.endswith("because no identity-based policy allows the kinesis:ListShards action")
    local.put_record(StreamName="s", Data=b"y", PartitionKey="k")
    refused(lambda: local.list_shards(StreamName="s"))

    # A Deny binds everybody, the account's own key too; it alone can take the policy back.
    shut = {"Version": "2012-10-17", "Statement": {**deny("kinesis:*", arn), "Principal": "*"}}
    access.root.put_resource_policy(ResourceARN=arn, Policy=json.dumps(shut))
    message = refused(lambda: access.root.put_record(StreamName="s", Data=b"z", PartitionKey="k"))
    assert message.startswith(f"User: arn:aws:iam::{ACCOUNT}:root is not authorized")
    assert message.endswith("with an explicit deny in a resource-based policy")
    refused(lambda: access.root.put_resource_policy(ResourceARN=arn, Policy="{}"), "InvalidArgumentException")
    access.root.delete_resource_policy(ResourceARN=arn)
    access.root.put_record(StreamName="s", Data=b"z", PartitionKey="k")
    refused(lambda: friend.list_shards(StreamARN=arn))


def test_a_subscriber_needs_the_right_to_its_consumer(access):
    aws.create_stream(access.root, "s")
    arn = aws.stream_arn("s")
    consumer = access.root.register_stream_consumer(StreamARN=arn, ConsumerName="mine")["Consumer"]["ConsumerARN"]

    def active():
        answer = access.root.describe_stream_consumer(ConsumerARN=consumer)
        return answer["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE"

    eventually(active, 20, what="the consumer is ACTIVE")
    mine = access.service("kinesis", access.add("mine", policy(allow("kinesis:SubscribeToShard", f"{arn}/consumer/mine:*"))))
    other = access.service("kinesis", access.add("other", policy(allow("kinesis:*", arn))))
    access.reload()
    access.root.put_record(StreamName="s", Data=b"x", PartitionKey="k")
    wanted = {
        "ConsumerARN": consumer,
        "ShardId": "shardId-000000000000",
        "StartingPosition": {"Type": "TRIM_HORIZON"},
    }
    message = refused(lambda: other.subscribe_to_shard(**wanted))
    assert f"kinesis:SubscribeToShard on resource: {consumer} because no identity-based policy" in message
    events = mine.subscribe_to_shard(**wanted)["EventStream"]
    for event in events:
        if event["SubscribeToShardEvent"]["Records"]:
            assert event["SubscribeToShardEvent"]["Records"][0]["Data"] == b"x"
            break
    events.close()
    refused(lambda: mine.describe_stream(StreamName="s"))


def test_tls_and_the_address_count_over_http2_too(stage, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
        + ["-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    safe = policy(
        allow("kinesis:ListStreams", IpAddress={"aws:SourceIp": "127.0.0.1"}, Bool={"aws:SecureTransport": "true"})
    )
    keys = [{"accessKeyId": "AKIASAFE", "secretAccessKey": "secret", "userName": "safe", "policies": [safe]}]
    (tmp_path / "collector.json").write_text(json.dumps({"accessKeys": keys}))
    plain = stage.collector(name="millrace-collector-plain", extra=["--config", tmp_path / "collector.json"])
    extra = ["--config", tmp_path / "collector.json", "--tls-cert", certificate, "--tls-key", key]
    tls = stage.collector(name="millrace-collector-tls", data=tmp_path / "tls", extra=extra)

    def post(collector, *options):
        """The status and the HTTP version of a ListStreams that curl signed."""
        answer = subprocess.run(
            ["curl", "-s", "-o", tmp_path / "answer", "-w", "%{http_code} %{http_version}", "--cacert", certificate, *options]
            + ["--aws-sigv4", f"aws:amz:{REGION}:kinesis", "--user", "AKIASAFE:secret", "-d", "{}"]
            + ["-H", "Content-Type: application/x-amz-json-1.1", "-H", "X-Amz-Target: Kinesis_20131202.ListStreams"]
            + [collector.url + "/"],
            check=True,
            capture_output=True,
            text=True,
        )
        return answer.stdout, (tmp_path / "answer").read_text()

    for option, version in [("--http2", "2"), ("--http1.1", "1.1")]:
        assert post(tls, option)[0] == f"200 {version}", post(tls, option)
    for option, version in [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")]:
        status, body = post(plain, option)
        assert status == f"400 {version}" and "AccessDeniedException" in body, (status, body)


def test_check_explains_keys_and_policies_without_secrets(access, tmp_path):
    access.policies["readers"] = policy(allow("kinesis:Gte*"))
    access.add("reader", "readers")
    (tmp_path / "secret").write_text("hidden-secret\n")
    access.keys.append({"accessKeyId": "AKIAFILE", "secretAccessKeyFile": "secret", "userName": "file"})
    access.write()
    program = BINARIES / "millrace-collector"
    arguments = ["check", "--config", access.config, "--data-dir", access.collector.data]
    result = run_program(program, arguments, {})
    assert result.returncode == 0, result.stderr
    root = access.collector.credentials[0]
    for line in [
        f"access key   AKIAREADER  arn:aws:iam::{ACCOUNT}:user/reader  readers (1 statement)",
        f"access key   AKIAFILE  arn:aws:iam::{ACCOUNT}:user/file  no policy: may do only what a resource's own policy grants",
        f"access key   {root}  arn:aws:iam::{ACCOUNT}:root  may do everything",
    ]:
        assert line in result.stdout.splitlines(), result.stdout
    assert 'Statement[0].Action: "kinesis:Gte*" is no action of this collector' in result.stdout
    for secret in ["secret-of-reader", "hidden-secret", access.collector.credentials[1]]:
        assert secret not in result.stdout + result.stderr

    access.keys[0]["policies"] = ["reader"]
    access.write()
    result = run_program(program, arguments, {})
    assert result.returncode == 78
    assert "found \"reader\", which is none of the file's policies; did you mean readers?" in result.stderr
    result = run_program(program, [*arguments[1:], "--listen", "127.0.0.1:0"], {})
    assert result.returncode == 78
