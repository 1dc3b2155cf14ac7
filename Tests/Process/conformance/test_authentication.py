"""Signatures: from the header and from the query, and every refusal of section 2 of the reference."""

import datetime
import hashlib
import hmac
import re
import urllib.parse

import pytest

import raw
import shapes
import wire
from programs import REGION

TARGET = "Kinesis_20131202.ListStreams"
BODY = b"{}"
DIFFERS = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def now():
    return datetime.datetime.now(datetime.UTC)


def refuse(answer, code, message=None):
    shapes.check_answer("ListStreams", answer.status, answer.headers, answer.body)
    assert (answer.status, answer.error) == (400, code), answer
    if isinstance(message, re.Pattern):
        assert message.fullmatch(answer.message), answer.message
    elif message:
        assert answer.message == message


def ask(collector, alter=None, body=BODY, path="/", **keys):
    headers = wire.signed_headers(collector, TARGET, body, **keys)
    if alter:
        alter(headers)
    return wire.send(collector, headers, body, path=path)


def authorization(collector, **parts):
    """An Authorization header with only these parts."""
    return "AWS4-HMAC-SHA256 " + ", ".join(f"{name}={value}" for name, value in parts.items())


def test_a_right_signature_is_taken(either):
    assert ask(either).status == 200


def test_no_signature_at_all(collector):
    answer = ask(collector, lambda headers: headers.pop("Authorization"))
    refuse(answer, "MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parametrize("missing", ["Credential", "Signature", "SignedHeaders"])
def test_a_header_that_lacks_a_part(collector, missing):
    parts = {"Credential": "A/b/c/kinesis/aws4_request", "SignedHeaders": "host", "Signature": "0"}
    del parts[missing]
    header = authorization(collector, **parts)
    answer = ask(collector, lambda headers: headers.update(Authorization=header))
    words = f"Authorization header requires '{missing}' parameter. Authorization={header}"
    refuse(answer, "IncompleteSignatureException", words)


def test_a_header_that_lacks_everything(collector):
    def alter(headers):
        headers["Authorization"] = "AWS4-HMAC-SHA256"
        del headers["X-Amz-Date"]

    words = (
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a "
        "'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"
    )
    refuse(ask(collector, alter), "IncompleteSignatureException", words)


def test_both_header_and_query(collector):
    answer = ask(collector, path="/?X-Amz-Algorithm=AWS4-HMAC-SHA256")
    words = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    refuse(answer, "InvalidSignatureException", words)


def test_a_query_that_lacks_parts(collector):
    def alter(headers):
        del headers["Authorization"], headers["X-Amz-Date"]

    answer = ask(collector, alter, path="/?X-Amz-Algorithm=AWS4-HMAC-SHA256")
    words = " ".join(
        f"AWS query-string parameters must include 'X-Amz-{name}'."
        for name in ("Credential", "Signature", "SignedHeaders", "Date")
    )
    refuse(answer, "IncompleteSignatureException", f"{words} Re-examine the query-string parameters.")


def presigned(collector, when=None, expires=None, tamper=False):
    """The query of a request that is signed there."""
    key, secret = collector.credentials
    host = urllib.parse.urlsplit(collector.url).netloc
    date = (when or now()).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{date[:8]}/{REGION}/kinesis/aws4_request"
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key}/{scope}",
        "X-Amz-Date": date,
        "X-Amz-SignedHeaders": "host;x-amz-target",
    }
    if expires:
        query["X-Amz-Expires"] = str(expires)
    text = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted(query.items()))
    canonical = "\n".join(
        [
            "POST",
            "/",
            text,
            f"host:{host}",
            f"x-amz-target:{TARGET}",
            "",
            "host;x-amz-target",
            hashlib.sha256(BODY).hexdigest(),
        ]
    )
    signed = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signing = ("AWS4" + secret).encode()
    for part in (date[:8], REGION, "kinesis", "aws4_request", signed):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    signature = signing.hex() if not tamper else "0" * 64
    headers = {"Host": host, "Content-Type": wire.JSON, "X-Amz-Target": TARGET}
    return wire.send(collector, headers, BODY, path=f"/?{text}&X-Amz-Signature={signature}")


def test_a_signature_in_the_query(collector):
    assert presigned(collector).status == 200
    refuse(presigned(collector, tamper=True), "InvalidSignatureException", DIFFERS)


@pytest.mark.parametrize(
    "change",
    [
        {"X-Amz-Target": "Kinesis_20131202.DescribeLimits"},
        {"Host": "elsewhere:1"},
        {"X-Amz-Date": None},
    ],
)
def test_what_was_signed_may_not_change(collector, change):
    def alter(headers):
        for name, value in change.items():
            headers[name] = value or (now() + datetime.timedelta(seconds=1)).strftime("%Y%m%dT%H%M%SZ")

    refuse(ask(collector, alter), "InvalidSignatureException", DIFFERS)


def test_another_body_or_secret(collector):
    headers = wire.signed_headers(collector, TARGET, BODY)
    refuse(wire.send(collector, headers, b'{"Limit":1}'), "InvalidSignatureException", DIFFERS)
    key, secret = collector.credentials
    refuse(ask(collector, credentials=(key, secret[::-1])), "InvalidSignatureException", DIFFERS)


def test_an_unknown_key(collector):
    _, secret = collector.credentials
    words = "The security token included in the request is invalid."
    refuse(ask(collector, credentials=("AKIDNOBODY0000000000", secret)), "UnrecognizedClientException", words)


def test_the_clock_may_differ_by_five_minutes(collector):
    minute = datetime.timedelta(minutes=1)
    for minutes in (-4, 4):
        assert ask(collector, when=now() + minutes * minute).status == 200
    stamp = r"\d{8}T\d{6}Z"
    old = re.compile(rf"Signature expired: {stamp} is now earlier than {stamp} \({stamp} - 5 min\.\)")
    refuse(ask(collector, when=now() - 6 * minute), "InvalidSignatureException", old)
    early = re.compile(rf"Signature not yet current: {stamp} is still later than {stamp} \({stamp} \+ 5 min\.\)")
    refuse(ask(collector, when=now() + 6 * minute), "InvalidSignatureException", early)


def test_the_scope_must_be_this_service_and_day(collector):
    key, secret = collector.credentials

    def signed(service="kinesis", day=None, last="aws4_request"):
        headers = wire.signed_headers(collector, TARGET, BODY)
        del headers["Authorization"]
        date = headers["X-Amz-Date"]
        text = raw.signature(headers, BODY, key, secret, date, REGION, service)
        text = text.replace(f"{key}/{date[:8]}", f"{key}/{day or date[:8]}").replace("aws4_request,", f"{last},")
        return wire.send(collector, {**headers, "Authorization": text}, BODY)

    assert signed().status == 200
    for keys in ({"service": "sqs"}, {"last": "aws5_request"}):
        refuse(signed(**keys), "InvalidSignatureException", re.compile("Credential should be scoped .*"))
    answer = signed(day="20200101")
    refuse(answer, "InvalidSignatureException")


def test_a_signed_body_hash_is_taken(collector):
    digest = hashlib.sha256(BODY).hexdigest()
    assert ask(collector, more={"X-Amz-Content-Sha256": digest}).status == 200


def test_many_signed_headers_in_any_case_and_with_blanks(collector):
    more = {"X-Amz-Meta-B": "two   blanks", "x-amz-meta-a": " around ", "User-Agent": "test"}
    headers = wire.signed_headers(
        collector, TARGET, BODY, more={"X-Amz-Meta-B": "two blanks", "x-amz-meta-a": "around"}
    )
    headers.update({name: value for name, value in more.items() if name.lower().startswith("x-amz-meta")})
    assert wire.send(collector, headers, BODY).status == 200
