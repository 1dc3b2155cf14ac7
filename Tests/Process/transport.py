"""Both protocols by hand: a request over HTTP/1.1 as it stands, and an HTTP/2 client whose requests run at once."""

import datetime
import json
import socket
import urllib.parse

import h2.config
import h2.connection
import h2.events

import raw
from programs import REGION


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def address(collector):
    parts = urllib.parse.urlsplit(collector.url)
    return parts.hostname, parts.port


def ask(collector, method="POST", path="/", headers=None, body=b"", tls=None, shut=False):
    """One request as it stands, without a header that is not asked for; the answer."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urllib.parse.urlsplit(collector.url).netloc}"]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    with socket.create_connection(address(collector), timeout=20) as connection:
        if tls:
            connection = tls.wrap_socket(connection, server_hostname="localhost")
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        if shut:
            # Of the plain socket: an SSL one would forget that it speaks TLS.
            socket.socket.shutdown(connection, socket.SHUT_WR)
        return read_answer(connection, method)


def read_answer(connection, method="POST"):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = 0 if method == "HEAD" else int(headers["content-length"])
    while len(body) < length:
        piece = connection.recv(65536)
        assert piece, "the connection ended within the body"
        body += piece
    return Answer(int(lines[0].split()[1]), headers, body)


def signed(collector, target, body=b"{}", service="kinesis", **headers):
    """The headers of a signed request, but `Host`. `Content_Type` stands for `Content-Type`."""
    date = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    sent = {"Content-Type": raw.JSON, "X-Amz-Date": date, "X-Amz-Target": target}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    host = {"Host": urllib.parse.urlsplit(collector.url).netloc}
    sent["Authorization"] = raw.signature({**host, **sent}, body, *collector.credentials, date, REGION, service)
    return sent


class H2:
    """An HTTP/2 client of one connection, for requests that run at once."""

    def __init__(self, collector, tls=None):
        self.collector = collector
        self.socket = socket.create_connection(address(collector), timeout=20)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.connection.initiate_connection()
        self.answers = {}
        self.ended = set()
        self.flush()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def begin(self, headers, body):
        stream = self.connection.get_next_available_stream_id()
        netloc = urllib.parse.urlsplit(self.collector.url).netloc
        scheme = urllib.parse.urlsplit(self.collector.url).scheme
        fields = [(":method", "POST"), (":path", "/"), (":scheme", scheme), (":authority", netloc)]
        fields += [(name.lower(), value) for name, value in headers.items()]
        self.connection.send_headers(stream, fields)
        self.answers[stream] = Answer(None, {}, b"")
        rest = body
        while rest:
            room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            if room == 0:
                self.flush()
                self.receive()
                continue
            self.connection.send_data(stream, rest[:room])
            rest = rest[room:]
        self.connection.end_stream(stream)
        self.flush()
        return stream

    def receive(self):
        data = self.socket.recv(65536)
        assert data, "the connection ended"
        for event in self.connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                headers = dict(event.headers)
                answer = self.answers[event.stream_id]
                answer.status, answer.headers = int(headers.pop(":status")), headers
            elif isinstance(event, h2.events.DataReceived):
                self.answers[event.stream_id].body += event.data
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                self.ended.add(event.stream_id)
        self.flush()

    def finish(self, stream):
        while stream not in self.ended:
            self.receive()
        return self.answers[stream]

    def close(self):
        self.socket.close()
