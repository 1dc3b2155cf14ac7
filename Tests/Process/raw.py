"""Requests made by hand, signed or not, for what a well-behaved client never sends."""

import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse

from programs import REGION

JSON = "application/x-amz-json-1.1"


def signature(headers, body, key, secret, date, region, service):
    """The Authorization header of Signature Version 4 for `POST /`."""
    names = sorted(name.lower() for name in headers)
    lower = {name.lower(): value for name, value in headers.items()}
    canonical = "\n".join(
        ["POST", "/", "", *(f"{name}:{lower[name].strip()}" for name in names), "", ";".join(names)]
        + [hashlib.sha256(body).hexdigest()]
    )
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signing = ("AWS4" + secret).encode()
    for part in (date[:8], region, service, "aws4_request", text):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    signed = ";".join(names)
    return f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={signed}, Signature={signing.hex()}"


def post(collector, target, body, credentials=None, when=None, sign=True, service="kinesis", alter=None, headers=None,
         region=REGION):
    """Sends `POST /` and returns (status, error type without its namespace, answer). `alter` changes the headers after
    they were signed."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    when = when or datetime.datetime.now(datetime.UTC)
    date = when.strftime("%Y%m%dT%H%M%SZ")
    address = urllib.parse.urlsplit(collector.url)
    sent = {"Host": address.netloc, "Content-Type": JSON, "X-Amz-Date": date, "X-Amz-Target": target, **(headers or {})}
    if sign:
        key, secret = credentials or collector.credentials
        sent["Authorization"] = signature(sent, body, key, secret, date, region, service)
    if alter:
        alter(sent)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.request("POST", "/", body=body, headers=sent)
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    parsed = json.loads(data) if data.startswith(b"{") else {"text": data.decode(errors="replace")}
    return answer.status, parsed.get("__type", "").rsplit("#", 1)[-1], parsed
