"""The protocol around the operations: headers, content types, CORS, the order of checks, HTTP's own ways."""

import gzip
import http.client
import json
import socket
import ssl
import urllib.parse

import pytest

import shapes
import wire
from checks import stream_missing

XML_DENIED = (
    b"<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n"
    b"</AccessDeniedException>\n"
)


def unsigned(collector, headers, body=b"{}", **keys):
    address = urllib.parse.urlsplit(collector.url)
    return wire.send(collector, {"Host": address.netloc, **headers}, body, **keys)


def test_every_answer_has_its_ids_its_type_and_its_length(either):
    for operation, content, status in [
        ("ListStreams", {}, 200),
        ("DescribeStream", {"StreamName": "none"}, 400),
        ("DescribeStream", b"{", 400),
    ]:
        answer = wire.call(either, operation, content)
        assert answer.status == status
        shapes.check_answer(operation, answer.status, answer.headers, answer.body)
    ids = {wire.call(either, "ListStreams", {}).headers["x-amzn-requestid"] for _ in range(5)}
    assert len(ids) == 5


def test_content_types_may_have_parameters_and_blanks(collector):
    for kind in (
        "application/x-amz-json-1.1",
        "application/x-amz-json-1.1; charset=utf-8",
        "application/x-amz-json-1.1 ; charset=utf-8",
        " application/x-amz-json-1.1",
        "Application/X-Amz-Json-1.1",
    ):
        answer = wire.call(collector, "ListStreams", {}, kind=kind.strip())
        assert answer.status == 200, kind
        assert answer.type == wire.JSON


def test_an_operation_that_is_not_there(collector):
    for target in ("Kinesis_20131202.ListStream", "Kinesis_20131202.", "Kinesis_20131202.liststreams"):
        answer = wire.call(collector, "", {}, target=target)
        assert (answer.status, answer.content) == (400, {"__type": "UnknownOperationException"}), target
        shapes.check_headers(answer.headers, len(answer.body))
    answer = wire.call(collector, "", {}, target="NoService_20131202.ListStreams")
    assert (answer.status, answer.error) == (400, "UnknownOperationException")


def test_an_unreadable_body_is_seen_before_missing_authentication(collector):
    headers = {"Content-Type": wire.JSON, "X-Amz-Target": "Kinesis_20131202.ListStreams"}
    answer = unsigned(collector, headers, b"{nonsense")
    assert (answer.status, answer.error) == (400, "SerializationException")
    # An unknown operation too.
    answer = unsigned(collector, {**headers, "X-Amz-Target": "Kinesis_20131202.Nothing"})
    assert (answer.status, answer.error) == (400, "UnknownOperationException")
    # But types and constraints come after it.
    for body in (b'{"Limit":"x"}', b'{"Limit":0}'):
        answer = unsigned(collector, headers, body)
        assert (answer.status, answer.error) == (400, "MissingAuthenticationTokenException")
        assert answer.message == "Missing Authentication Token"


def test_types_are_checked_before_constraints_and_constraints_before_state(collector):
    content = {"StreamName": "nowhere", "Limit": "x", "ExclusiveStartShardId": "a b"}
    assert wire.call(collector, "DescribeStream", content).error == "SerializationException"
    assert wire.call(collector, "DescribeStream", {**content, "Limit": 1}).error == "ValidationException"
    answer = wire.call(collector, "DescribeStream", {"StreamName": "nowhere", "Limit": 1})
    assert (answer.error, answer.message) == ("ResourceNotFoundException", stream_missing("nowhere"))


def test_wrong_methods_and_missing_content_types_are_answered_in_xml(collector):
    for method in ("PUT", "DELETE", "PATCH"):
        answer = unsigned(collector, {"X-Amz-Target": "Kinesis_20131202.ListStreams"}, b"{}", method=method)
        assert (answer.status, answer.body) == (403, XML_DENIED), method
    answer = unsigned(collector, {"Content-Type": "text/plain", "X-Amz-Target": "Kinesis_20131202.ListStreams"})
    assert (answer.status, answer.body) in [(403, XML_DENIED), (404, b"<UnknownOperationException/>\n")]


def test_an_empty_body(collector):
    target = {"X-Amz-Target": "Kinesis_20131202.ListStreams"}
    answer = unsigned(collector, {"Content-Type": wire.JSON, **target}, b"")
    assert (answer.status, answer.type, answer.error) == (400, wire.JSON, "SerializationException")
    answer = unsigned(collector, {"Content-Type": wire.CBOR, **target}, b"")
    assert (answer.status, answer.type, answer.error) == (400, wire.CBOR, "SerializationException")
    answer = unsigned(collector, {"Content-Type": wire.JSON, "X-Amz-Target": "Kinesis_20131202.No"}, b"")
    assert (answer.status, answer.error) == (400, "UnknownOperationException")


def test_the_old_content_type_is_unknown_in_its_own_old_way(collector):
    answer = unsigned(collector, {"Content-Type": "application/json", "X-Amz-Target": "Kinesis_20131202.ListStreams"})
    assert answer.status == 404
    assert json.loads(answer.body) == {
        "Output": {"__type": "com.amazon.coral.service#UnknownOperationException"},
        "Version": "1.0",
    }


def test_a_browser_asks_first_and_may_read_the_answer(collector):
    asked = {
        "Origin": "https://example.org",
        "Access-Control-Request-Headers": "x-amz-target,authorization",
        "Access-Control-Request-Method": "POST",
    }
    answer = unsigned(collector, asked, b"", method="OPTIONS")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-max-age"] == "172800"
    assert answer.headers["access-control-allow-headers"] == "x-amz-target,authorization"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert "x-amz-id-2" not in answer.headers and "x-amzn-requestid" in answer.headers
    answer = wire.call(collector, "ListStreams", {}, more={"Origin": "https://example.org"})
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "*"
    exposed = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
    assert answer.headers["access-control-expose-headers"] == exposed
    assert "access-control-allow-origin" not in wire.call(collector, "ListStreams", {}).headers


def test_compressed_requests_are_read(collector, stream):
    content = {"StreamName": stream, "Data": "AAAA" * 3000, "PartitionKey": "k"}
    body = gzip.compress(json.dumps(content).encode())
    answer = wire.call(collector, "PutRecord", body, more={"Content-Encoding": "gzip"})
    assert answer.status == 200 and answer.content["SequenceNumber"]
    answer = wire.call(collector, "PutRecord", body[:-20], more={"Content-Encoding": "gzip"})
    assert (answer.status, answer.error) == (400, "SerializationException")


def connection(collector):
    address = urllib.parse.urlsplit(collector.url)
    plain = socket.create_connection((address.hostname, address.port), timeout=20)
    if address.scheme == "https":
        return ssl._create_unverified_context().wrap_socket(plain, server_hostname="localhost")
    return plain


def test_a_connection_serves_many_requests_and_chunked_bodies(either):
    body = b'{"Limit":3}'
    with connection(either) as wired:
        for chunked in (False, True, False, True):
            headers = wire.signed_headers(either, "Kinesis_20131202.ListStreams", body)
            sent = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            if chunked:
                content = b"4\r\n" + body[:4] + b"\r\n%x\r\n" % len(body[4:]) + body[4:] + b"\r\n0\r\n\r\n"
                sent += "Transfer-Encoding: chunked\r\n"
            else:
                content = body
                sent += f"Content-Length: {len(body)}\r\n"
            wired.sendall(b"POST / HTTP/1.1\r\n" + sent.encode() + b"\r\n" + content)
            answer = http.client.HTTPResponse(wired)
            answer.begin()
            data = answer.read()
            assert answer.status == 200 and "StreamNames" in json.loads(data)


def test_requests_sent_ahead_are_answered_in_order(collector):
    """Pipelining: no client of AWS does it, and nothing forbids it."""
    sent = b""
    for limit in (0, 10001):
        body = json.dumps({"Limit": limit}).encode()
        headers = wire.signed_headers(collector, "Kinesis_20131202.ListStreams", body)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sent += b"POST / HTTP/1.1\r\n" + head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with connection(collector) as wired:
        wired.sendall(sent)
        found = b""
        while found.count(b"ValidationException") < 2 or b"10001" not in found:
            part = wired.recv(65536)
            assert part, found
            found += part
    assert found.index(b"Value '0'") < found.index(b"Value '10001'")


def test_the_path_does_not_matter(collector):
    # The path is signed, so an unsigned request has to do: what is refused is the signature, not the path.
    headers = {"Content-Type": wire.JSON, "X-Amz-Target": "Kinesis_20131202.ListStreams"}
    answer = unsigned(collector, headers, b"{}", path="/some/where")
    assert (answer.status, answer.error) == (400, "MissingAuthenticationTokenException")


def alpn(collector, *offered):
    address = urllib.parse.urlsplit(collector.url)
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(list(offered))
    with socket.create_connection((address.hostname, address.port), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as wired:
            return wired.selected_alpn_protocol()


def test_tls_offers_http_2_and_http_1(tls_collector):
    assert alpn(tls_collector, "h2", "http/1.1") == "h2"
    assert alpn(tls_collector, "h2") == "h2"
    assert alpn(tls_collector, "http/1.1") == "http/1.1"


@pytest.mark.parametrize("size", [1, 13 * 1024 * 1024])
def test_bodies_of_13_mib_are_taken(either, size):
    body = b'{"Limit":1' + b" " * size + b"}"
    assert wire.call(either, "ListStreams", body).status == 200
