"""The front of the collector, byte by byte: both protocols on one port, AWS's order of checks and its answers for what
is not a request of any API, compressed bodies, feeds."""

import base64
import gzip
import json
import os
import socket
import ssl
import struct
import subprocess
import time
import urllib.parse
import uuid

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer

import aws
import raw
from programs import REGION, eventually
from transport import H2, address, ask, signed

LIST = "Kinesis_20131202.ListStreams"
JSON11 = "application/x-amz-json-1.1"
CBOR11 = "application/x-amz-cbor-1.1"
DENIED = (
    b"<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n"
    b"</AccessDeniedException>\n"
)


def has_ids(answer):
    uuid.UUID(answer.headers["x-amzn-requestid"])
    return len(base64.b64decode(answer.headers["x-amz-id-2"], validate=True)) == 72


# What is not a request of any API


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_another_method_is_denied_in_xml(collector, method):
    answer = ask(collector, method)
    assert (answer.status, answer.body) == (403, DENIED)
    assert has_ids(answer) and "content-type" not in answer.headers
    answer = ask(collector, method, headers={"Authorization": "AWS4-HMAC-SHA256 x", "Accept": "*/*"}, path="/any")
    assert (answer.status, answer.body) == (403, DENIED)


def test_a_browser_and_a_probe_see_pages(collector):
    assert ask(collector, "GET", headers={"Accept": "text/html"}).status == 200
    assert ask(collector, "GET", path="/nothing", headers={"Accept": "*/*"}).status == 404
    for path in ["/healthz", "/readyz", "/metrics"]:
        assert ask(collector, "GET", path=path).status == 200
    head = ask(collector, "HEAD", path="/healthz")
    assert (head.status, head.body) == (200, b"")


def test_a_preflight_is_allowed_as_it_asks(collector):
    answer = ask(collector, "OPTIONS", headers={"Origin": "whatever"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-max-age"] == "172800"
    assert answer.headers["content-length"] == "0"
    uuid.UUID(answer.headers["x-amzn-requestid"])
    for name in ["x-amz-id-2", "access-control-allow-headers", "access-control-allow-methods",
                 "access-control-expose-headers"]:
        assert name not in answer.headers
    asked = {"Origin": "x", "Access-Control-Request-Headers": "a, b, c", "Access-Control-Request-Method": "d"}
    answer = ask(collector, "OPTIONS", headers=asked)
    assert answer.headers["access-control-allow-headers"] == "a, b, c"
    assert answer.headers["access-control-allow-methods"] == "d"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_requests_of_pages_elsewhere_may_be_read(collector, method):
    answer = ask(collector, method, headers={"Origin": "whatever"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (
        answer.headers["access-control-expose-headers"]
        == "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
    )
    assert "access-control-allow-origin" not in ask(collector, method).headers


# Bodies and content types


def cbor_error(code):
    """A map of indefinite length with `__type` alone."""
    length = bytes([0x60 + len(code)]) if len(code) < 24 else bytes([0x78, len(code)])
    return b"\xbf\x66__type" + length + code.encode() + b"\xff"


@pytest.mark.parametrize(
    "target, code",
    [
        (None, "UnknownOperationException"),
        ("Whatever", "UnknownOperationException"),
        ("Kinesis_20131202.ListStream", "UnknownOperationException"),
        (LIST, "SerializationException"),
    ],
)
def test_a_request_without_a_body(collector, target, code):
    headers = {"X-Amz-Target": target} if target else {}
    for media in [None, "text/plain", "application/json", CBOR11]:
        answer = ask(collector, headers={**headers, **({"Content-Type": media} if media else {})})
        assert (answer.status, answer.headers["content-type"]) == (400, CBOR11)
        assert answer.body == cbor_error(code) and has_ids(answer)
    answer = ask(collector, headers={**headers, "Content-Type": JSON11})
    assert (answer.status, answer.headers["content-type"], answer.json) == (400, JSON11, {"__type": code})


@pytest.mark.parametrize(
    "media", [None, "text/plain", "application/x-www-form-urlencoded", "application/x-amz-json-1.0"]
)
def test_a_content_type_that_nobody_speaks(collector, media):
    headers = {"Content-Type": media} if media else {}
    answer = ask(collector, headers=headers, body=b"{}")
    assert (answer.status, answer.body) == (403, DENIED)
    assert has_ids(answer) and "content-type" not in answer.headers
    for target in [LIST, "Kinesis_20131202.Nothing", "a.b"]:
        answer = ask(collector, headers={**headers, "X-Amz-Target": target}, body=b"{}")
        assert (answer.status, answer.body) == (404, b"<UnknownOperationException/>\n")
    for target in ["a", ".b", "a."]:
        assert ask(collector, headers={**headers, "X-Amz-Target": target}, body=b"{}").status == 403


@pytest.mark.parametrize("target", [None, LIST])
def test_plain_json_is_of_another_protocol(collector, target):
    headers = {"Content-Type": "application/json", **({"X-Amz-Target": target} if target else {})}
    answer = ask(collector, headers=headers, body=b"{}")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json == {
        "Output": {"__type": "com.amazon.coral.service#UnknownOperationException"}, "Version": "1.0"
    }
    answer = ask(collector, headers=headers, body=b"hello")
    assert answer.status == 400
    assert answer.json["Output"] == {"__type": "com.amazon.coral.service#SerializationException"}


def test_parameters_of_a_content_type_are_passed_over(collector):
    for media in [f"{JSON11}; charset=utf-8", f" {JSON11} ;", JSON11.upper()]:
        answer = ask(collector, headers=signed(collector, LIST, Content_Type=media), body=b"{}")
        assert answer.status == 200, answer.body
        assert answer.headers["content-type"] == JSON11 and has_ids(answer)


def test_lease_tables_speak_json_1_0(collector):
    body = b"{}"
    headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}
    answer = ask(collector, headers=headers, body=body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/x-amz-json-1.0")
    assert answer.json["__type"] == "MissingAuthenticationTokenException"
    assert ask(collector, headers=headers).json == {"__type": "SerializationException"}


# The order of checks


def test_what_is_wrong_is_told_in_awss_order(collector):
    def post(body, target=LIST, media=JSON11, path="/", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = ask(collector, path=path, headers={"X-Amz-Target": target, "Content-Type": media, **named}, body=body)
        return answer.status, answer.json

    # An unsound body before everything.
    for body in [b"hello", b'{"a":', b"1", b"null", b'"x"', b"{}{}"]:
        assert post(body) == (400, {"__type": "SerializationException"})
        assert post(body, "Kinesis_20131202.Nothing") == (400, {"__type": "SerializationException"})
        assert post(body, "Nothing") == (400, {"__type": "SerializationException"})
        assert post(body, Authorization="X") == (400, {"__type": "SerializationException"})
    # Then the operation.
    for target in ["Kinesis_20131202.Nothing", "Nothing", "Nothing_1.ListStreams"]:
        assert post(b"{}", target) == (400, {"__type": "UnknownOperationException"})
        assert post(b"{}", target, Authorization="X") == (400, {"__type": "UnknownOperationException"})
    # Then the sender, also for members of a wrong type.
    missing = {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"}
    assert post(b"{}") == (400, missing)
    assert post(b'{"Limit":"x"}') == (400, missing)
    assert post(b"[]") == (400, missing)
    status, error = post(b'{"Limit":"x"}', Authorization="X")
    assert (status, error["__type"]) == (400, "IncompleteSignatureException")
    status, error = post(b'{"Limit":"x"}', path="/?X-Amz-Algorithm", Authorization="X")
    assert (status, error["__type"]) == (400, "InvalidSignatureException")
    # Then types, and constraints at last.
    status, kind, error = raw.post(collector, LIST, b'{"Limit":"x"}')
    assert (status, kind) == (400, "SerializationException") and error["Message"]
    assert raw.post(collector, LIST, b'{"Limit":0}')[1] == "ValidationException"
    # A signed body that is unsound says no more than an unsigned one.
    for target, body in [(LIST, b"hello"), ("Kinesis_20131202.PutRecords", b'{"Records":[')]:
        assert raw.post(collector, target, body)[2] == {"__type": "SerializationException"}


def test_the_same_in_cbor(collector):
    def post(body, target=LIST):
        answer = ask(collector, headers={"X-Amz-Target": target, "Content-Type": CBOR11}, body=body)
        assert (answer.status, answer.headers["content-type"]) == (400, CBOR11)
        return answer.body

    for body in [b"{}", b"\x01", b"\xa1\x61a", b"\xa0\xa0"]:
        assert post(body) == cbor_error("SerializationException")
    assert post(b"\xbf\xff", "Kinesis_20131202.Nothing") == cbor_error("UnknownOperationException")
    assert b"MissingAuthenticationTokenException" in post(b"\xbf\xff")


def test_errors_are_told_in_a_header_too(collector):
    answer = ask(collector, headers={"X-Amz-Target": LIST, "Content-Type": JSON11}, body=b"{}")
    assert answer.headers["x-amzn-errortype"] == answer.json["__type"]
    assert "x-amzn-errortype" not in ask(collector, headers=signed(collector, LIST), body=b"{}").headers


def test_operations_without_output_answer_nothing(collector):
    body = json.dumps({"StreamName": "s", "ShardCount": 1}).encode()
    answer = ask(collector, headers=signed(collector, "Kinesis_20131202.CreateStream", body), body=body)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


def test_the_path_does_not_matter_but_is_signed_as_it_is_normalised(collector):
    key, secret = collector.credentials
    for path in ["/", "//", "/./", "/some/endpoint/", "//a//b/../c/./d", "/with%20blank/%7Ex"]:
        request = botocore_signed(collector, path, key, secret)
        answer = ask(collector, path=path, headers=request, body=b"{}")
        assert answer.status == 200, (path, answer.body)


def botocore_signed(collector, path, key, secret):
    request = AWSRequest(
        "POST", collector.url + path, data=b"{}",
        headers={"Content-Type": JSON11, "X-Amz-Target": LIST, "Host": urllib.parse.urlsplit(collector.url).netloc},
    )
    SigV4Auth(Credentials(key, secret), "kinesis", REGION).add_auth(request)
    headers = dict(request.headers.items())
    del headers["Host"]
    return headers


# Compressed bodies


def test_a_compressed_body_is_read_and_its_signature_covers_what_was_sent(collector, kinesis):
    aws.create_stream(kinesis, "s")
    entries = [{"Data": base64.b64encode(b"x" * 1000).decode(), "PartitionKey": str(n)} for n in range(500)]
    plain = json.dumps({"StreamName": "s", "Records": entries}).encode()
    target = "Kinesis_20131202.PutRecords"
    for encoding in ["gzip", "GZIP", "x-gzip"]:
        status, _, answer = raw.post(collector, target, gzip.compress(plain), headers={"Content-Encoding": encoding})
        assert status == 200 and answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 500
    two = gzip.compress(plain[:1000]) + gzip.compress(plain[1000:])
    assert raw.post(collector, target, two, headers={"Content-Encoding": "gzip"})[0] == 200
    # Old clients name an encoding that changes nothing.
    for encoding in ["amz-1.0", "identity"]:
        assert raw.post(collector, LIST, b"{}", headers={"Content-Encoding": encoding})[0] == 200


def test_compressed_bodies_that_are_refused(collector):
    headers = {"Content-Encoding": "gzip"}
    whole = gzip.compress(b"{}" + b" " * 1000)
    for body in [b"{}", whole[:-1], whole[:-6] + b"xx" + whole[-4:], whole + b"x", gzip.compress(b"hello")]:
        status, kind, _ = raw.post(collector, LIST, body, headers=headers)
        assert (status, kind) == (400, "SerializationException"), body
    bomb = gzip.compress(b"{" + b" " * (17 << 20) + b"}")
    assert len(bomb) < 100_000
    assert raw.post(collector, LIST, bomb, headers=headers)[0] == 413
    allowed = gzip.compress(b"{" + b" " * (15 << 20) + b"}")
    assert raw.post(collector, LIST, allowed, headers=headers)[0] == 200
    # A stranger's is not inflated.
    status, kind, _ = raw.post(collector, LIST, bomb, headers=headers, sign=False)
    assert (status, kind) == (400, "MissingAuthenticationTokenException")


# Connections


def test_a_client_that_half_closes_gets_its_answer(collector):
    answer = ask(collector, headers=signed(collector, LIST), body=b"{}", shut=True)
    assert answer.status == 200


@pytest.fixture
def certificate(tmp_path):
    """(certificate, key, a client's context that offers `protocols`)"""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", chain],
        check=True, capture_output=True, timeout=60,
    )

    def context(*protocols):
        made = ssl.create_default_context(cafile=chain)
        if protocols:
            made.set_alpn_protocols(list(protocols))
        return made

    return chain, key, context


@pytest.fixture
def secure(stage, certificate):
    chain, key, _ = certificate
    return stage.collector(extra=["--tls-cert", chain, "--tls-key", key])


def test_http_2_by_prior_knowledge_answers_as_http_1_1_does(collector):
    client = H2(collector)
    answer = client.finish(client.begin(signed(collector, LIST), b"{}"))
    assert (answer.status, answer.json) == (200, {"HasMoreStreams": False, "StreamNames": [], "StreamSummaries": []})
    assert answer.headers["content-type"] == JSON11 and has_ids(answer)
    answer = client.finish(client.begin({"X-Amz-Target": LIST, "Content-Type": JSON11}, b"{}"))
    assert (answer.status, answer.json["__type"]) == (400, "MissingAuthenticationTokenException")
    client.close()


def test_many_requests_at_once_on_one_http_2_connection(collector, kinesis):
    aws.create_stream(kinesis, "s", shards=2)
    client = H2(collector)
    target = "Kinesis_20131202.PutRecord"
    streams = {}
    for number in range(200):
        data = base64.b64encode(b"%d" % number).decode()
        body = json.dumps({"StreamName": "s", "Data": data, "PartitionKey": str(number)}).encode()
        streams[number] = client.begin(signed(collector, target, body), body)
    for stream in streams.values():
        assert client.finish(stream).status == 200
    client.close()
    shards = aws.list_shards(kinesis, "s")
    stored = {record["Data"] for shard in shards for record in aws.read_shard(kinesis, "s", shard["ShardId"])}
    assert stored == {b"%d" % number for number in range(200)}


def test_a_put_of_10_mib_over_http_2(collector, kinesis):
    aws.create_stream(kinesis, "s")
    data = base64.b64encode(b"\xff" * 1_040_000).decode()
    body = json.dumps({"StreamName": "s", "Records": [{"Data": data, "PartitionKey": "k"}] * 10}).encode()
    client = H2(collector)
    start = time.monotonic()
    answer = client.finish(client.begin(signed(collector, "Kinesis_20131202.PutRecords", body), body))
    assert answer.status == 200 and answer.json["FailedRecordCount"] == 0, answer.body[:300]
    assert time.monotonic() - start < 10
    client.close()


@pytest.mark.parametrize("offered", [("h2",), ("h2", "http/1.1")])
def test_http_2_by_alpn(secure, certificate, offered):
    client = H2(secure, certificate[2](*offered))
    assert client.socket.selected_alpn_protocol() == "h2"
    answer = client.finish(client.begin(signed(secure, LIST), b"{}"))
    assert answer.status == 200
    client.close()


@pytest.mark.parametrize("offered", [(), ("http/1.1",)])
def test_http_1_1_over_tls(secure, certificate, offered):
    assert ask(secure, headers=signed(secure, LIST), body=b"{}", tls=certificate[2](*offered)).status == 200


def test_a_client_that_half_closes_gets_its_answer_over_tls_too(secure, certificate):
    # The socket alone is shut: TLS says nothing of an end.
    assert ask(secure, headers=signed(secure, LIST), body=b"{}", tls=certificate[2](), shut=True).status == 200


def test_http_2_over_tls_without_alpn(secure, certificate):
    client = H2(secure, certificate[2]())
    assert client.finish(client.begin(signed(secure, LIST), b"{}")).status == 200
    client.close()


def test_curl_speaks_both(collector):
    for option, version in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")]:
        said = subprocess.run(
            ["curl", "--silent", option, "--max-time", "20", "--write-out", "%{http_version} %{http_code}",
             "--output", "/dev/null", collector.url + "/healthz"],
            capture_output=True, text=True, check=True, timeout=30,
        )
        assert said.stdout == f"{version} 200"


# Feeds


@pytest.fixture
def consumers(kinesis):
    """ARNs of consumers of the stream `s`, one after the other."""
    aws.create_stream(kinesis, "s")
    stream = aws.stream_arn("s")

    def register():
        for number in range(20):
            registered = kinesis.register_stream_consumer(StreamARN=stream, ConsumerName=f"c{number}")
            arn = registered["Consumer"]["ConsumerARN"]

            def active(arn=arn):
                described = kinesis.describe_stream_consumer(ConsumerARN=arn)
                return described["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE"

            eventually(active, what="the consumer is ACTIVE")
            yield arn

    return register()


def subscription(collector, consumer):
    """Headers and body of a SubscribeToShard."""
    position = {"Type": "TRIM_HORIZON"}
    body = {"ConsumerARN": consumer, "ShardId": "shardId-000000000000", "StartingPosition": position}
    body = json.dumps(body).encode()
    return signed(collector, "Kinesis_20131202.SubscribeToShard", body), body


def events(data):
    """(kind, payload) of each whole message in an event stream."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers[":event-type"], json.loads(message.payload or b"{}")) for message in buffer]


def records(data):
    return [base64.b64decode(record["Data"]) for _, event in events(data) for record in event.get("Records", [])]


class Chunks:
    """A subscription over HTTP/1.1, its chunks read one by one."""

    def __init__(self, collector, consumer):
        headers, body = subscription(collector, consumer)
        netloc = urllib.parse.urlsplit(collector.url).netloc
        lines = ["POST / HTTP/1.1", f"Host: {netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket = socket.create_connection(address(collector), timeout=20)
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.file = self.socket.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.file.readline()
        self.data = b""

    def read(self):
        """Adds the next chunk; false at the end."""
        count = int(self.file.readline(), 16)
        self.data += self.file.read(count)
        assert self.file.readline() == b"\r\n"
        return count > 0

    def close(self):
        self.file.close()
        self.socket.close()


def test_a_feed_comes_in_chunks_over_http_1_1(collector, kinesis, consumers):
    feed = Chunks(collector, next(consumers))
    head = feed.head.lower()
    assert head.startswith(b"http/1.1 200 ")
    assert b"content-type: application/vnd.amazon.eventstream\r\n" in head
    assert b"transfer-encoding: chunked\r\n" in head and b"content-length" not in head
    for number in range(5):
        kinesis.put_record(StreamName="s", Data=b"%d" % number, PartitionKey="k")
        while len(records(feed.data)) <= number:
            assert feed.read()
    assert events(feed.data)[0][0] == "initial-response"
    assert records(feed.data) == [b"0", b"1", b"2", b"3", b"4"]
    feed.close()


def test_feeds_and_requests_share_an_http_2_connection(collector, kinesis, consumers):
    client = H2(collector)
    streams = [client.begin(*subscription(collector, next(consumers))) for _ in range(10)]
    entries = [{"Data": b"%d" % number, "PartitionKey": str(number)} for number in range(100)]
    for number in range(20):
        assert client.finish(client.begin(signed(collector, LIST), b"{}")).status == 200
        kinesis.put_records(StreamName="s", Records=entries[number * 5:number * 5 + 5])
    expected = [entry["Data"] for entry in entries]
    for stream in streams:
        answer = client.answers[stream]
        while len(records(answer.body)) < 100:
            client.receive()
        assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
        assert records(answer.body) == expected
    client.close()


@pytest.mark.parametrize("how", ["close", "half-close", "reset", "stream-reset"])
def test_a_subscription_ends_with_its_reader_and_leaves_nothing_behind(collector, kinesis, consumers, how):
    """Seen in the collector's open files: a connection whose reader is gone is closed at once."""
    def sockets():
        folder, found = f"/proc/{collector.pid}/fd", 0
        for name in os.listdir(folder):
            try:
                found += os.readlink(f"{folder}/{name}").startswith("socket:")
            except FileNotFoundError:
                pass
        return found

    kinesis.list_streams()
    before = sockets()
    if how == "stream-reset":
        client = H2(collector)
        stream = client.begin(*subscription(collector, next(consumers)))
        while not client.answers[stream].body:
            client.receive()
        client.connection.reset_stream(stream)
        client.flush()
        # The connection lives on, and so does the collector.
        assert client.finish(client.begin(signed(collector, LIST), b"{}")).status == 200
        client.close()
    else:
        feed = Chunks(collector, next(consumers))
        assert feed.read()
        assert sockets() == before + 1
        if how == "half-close":
            feed.socket.shutdown(socket.SHUT_WR)
        elif how == "reset":
            feed.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            feed.close()
        else:
            feed.close()
    eventually(lambda: sockets() == before, 2, 0.01, "the connection is closed")


def test_a_stop_ends_feeds_cleanly_and_at_once(collector, consumers):
    feed = Chunks(collector, next(consumers))
    client = H2(collector)
    stream = client.begin(*subscription(collector, next(consumers)))
    assert feed.read()
    while not client.answers[stream].body:
        client.receive()
    start = time.monotonic()
    assert collector.stop() == 0
    assert time.monotonic() - start < 5
    while feed.read():
        pass
    assert events(feed.data)
    said = b""
    while piece := client.socket.recv(65536):
        said += piece
    # DATA without bytes that ends the stream.
    assert struct.pack(">BHBBI", 0, 0, 0, 1, stream) in said
    feed.close()
    client.close()


def test_a_stop_says_goaway_and_ends_connections_at_once(collector):
    clients = [H2(collector) for _ in range(3)]
    for client in clients:
        client.finish(client.begin(signed(collector, LIST), b"{}"))
    idle = [socket.create_connection(address(collector)) for _ in range(3)]

    start = time.monotonic()
    assert collector.stop() == 0
    assert time.monotonic() - start < 5
    for client in clients:
        said = b""
        while piece := client.socket.recv(65536):
            said += piece
        # The first of two: no error, and all streams up to the last number there is.
        assert struct.pack(">BBIIi", 7, 0, 0, 0x7FFFFFFF, 0) in said
        client.close()
    for connection in idle:
        connection.close()


def test_thousands_of_bytes_that_are_no_protocol_end_no_collector(collector):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for junk in [b"\x00" * 5000, preface + b"\xff" * 5000, b"PRI * HTTP/2.1\r\n\r\n", b"\x16\x03\x01" * 9,
                 preface + struct.pack(">I", 1 << 24)]:
        with socket.create_connection(address(collector), timeout=20) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    collector.expect_running()
    assert ask(collector, "GET", path="/healthz").body == b"ok\n"
