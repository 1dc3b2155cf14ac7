"""Single requests in JSON or CBOR as bytes on the wire, for what boto3 would not send, with the whole answer."""

import base64
import dataclasses
import datetime
import http.client
import json
import ssl
import urllib.parse

import cbor2

import raw
from programs import REGION

JSON = "application/x-amz-json-1.1"
CBOR = "application/x-amz-cbor-1.1"
SERVICE = "Kinesis_20131202."


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def type(self):
        return self.headers.get("content-type")

    @property
    def content(self):
        """The body as a value; None when it is empty."""
        if not self.body:
            return None
        return decode_cbor(self.body) if self.type == CBOR else json.loads(self.body)

    @property
    def error(self):
        return self.content["__type"]

    @property
    def message(self):
        return self.content.get("message", self.content.get("Message"))


class Millis(int):
    """A timestamp of a CBOR answer, in milliseconds."""


def decode_cbor(body):
    """One CBOR item. A tag 1 must hold whole milliseconds, as Java's SDK wants them; no other tag may be there.
    cbor2 would make a date of tag 1, in seconds, so the tag is renamed first."""

    def plain(value):
        if isinstance(value, cbor2.CBORTag):
            assert isinstance(value.value, int), f"a timestamp that is no whole number: {value.value!r}"
            return Millis(value.value)
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value

    return plain(cbor2.loads(rename_tags(body)))


def rename_tags(body):
    """The same items, with tag 1 (0xC1) written as tag 40001; walks heads, so that no payload byte is touched."""
    out, at = bytearray(), 0
    while at < len(body):
        head = body[at]
        major, info = head >> 5, head & 31
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
        value = int.from_bytes(body[at + 1 : at + 1 + size], "big") if size else info
        if major == 6:
            assert value == 1, f"tag {value}"
            out += b"\xd9" + (40001).to_bytes(2, "big")
            at += 1 + size
            continue
        out += body[at : at + 1 + size]
        at += 1 + size
        if major in (2, 3) and info != 31:
            out += body[at : at + value]
            at += value
    return bytes(out)


def jackson(value):
    """CBOR as Java's SDK writes it: maps and lists without their length, timestamps as tag 1 with milliseconds."""
    if isinstance(value, dict):
        return b"\xbf" + b"".join(jackson(key) + jackson(item) for key, item in value.items()) + b"\xff"
    if isinstance(value, (list, tuple)):
        return b"\x9f" + b"".join(jackson(item) for item in value) + b"\xff"
    if isinstance(value, Millis):
        return b"\xc1" + cbor2.dumps(int(value))
    return cbor2.dumps(value)


def plain_json(value):
    """What JSON says for the same: base64 for bytes, seconds for milliseconds."""
    if isinstance(value, dict):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value / 1000 if isinstance(value, Millis) else value


def send(collector, headers, body=b"", method="POST", path="/", timeout=30):
    """One request as it is."""
    address = urllib.parse.urlsplit(collector.url)
    if address.scheme == "https":
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, data)
    finally:
        connection.close()


def signed_headers(collector, target, body, kind=JSON, when=None, credentials=None, region=REGION, more=None):
    address = urllib.parse.urlsplit(collector.url)
    date = (when or datetime.datetime.now(datetime.UTC)).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Host": address.netloc, "Content-Type": kind, "X-Amz-Date": date, "X-Amz-Target": target, **(more or {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    key, secret = credentials or collector.credentials
    headers["Authorization"] = raw.signature(headers, body, key, secret, date, region, "kinesis")
    return headers


def call(collector, operation, content, kind=JSON, target=None, **keys):
    """A signed request of `operation`; `content` is a value, or the body's bytes."""
    if isinstance(content, bytes):
        body = content
    else:
        body = jackson(content) if kind == CBOR else json.dumps(plain_json(content)).encode()
    return send(collector, signed_headers(collector, target or SERVICE + operation, body, kind, **keys), body)
