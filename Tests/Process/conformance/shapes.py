"""Answers against botocore's own service model: required members there, types right, nothing unknown."""

import base64
import binascii
import json
import math
import re
import uuid

import botocore.session

MODEL = botocore.session.get_session().get_service_model("kinesis")

# What every operation may answer without its model saying so.
COMMON_ERRORS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InternalFailure",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
}

# Members that came after this model.
NEWER = {
    "DescribeLimitsOutput": {"ChannelCount", "ChannelCountLimit"},
    "StreamDescriptionSummary": {"ChannelCount", "RecordDistributionStrategy"},
}

# What was required then and is not any more: a stream that distributes records by itself needs no keys.
OPTIONAL = {"Record": {"PartitionKey"}}


class ShapeError(AssertionError):
    pass


def fail(path, words):
    raise ShapeError(f"{path or 'the answer'}: {words}")


def check(shape, value, path="", cbor=False):
    """Walks `value`, as the wire had it, along `shape`."""
    if value is None:
        fail(path, "null, which AWS leaves out")
    CHECKS.get(shape.type_name, check_scalar)(shape, value, path, cbor)


# Required in this model, no longer so in 1.43.106: streams that spread records by themselves take them without keys.
LATER_OPTIONAL = {"Record": {"PartitionKey"}}


def check_structure(shape, value, path, cbor):
    if not isinstance(value, dict):
        fail(path, f"{value!r} for the structure {shape.name}")
    unknown = value.keys() - shape.members.keys() - NEWER.get(shape.name, set())
    if unknown:
        fail(path, f"members unknown to {shape.name}: {sorted(unknown)}")
    optional = LATER_OPTIONAL.get(shape.name, set())
    missing = [name for name in shape.required_members if value.get(name) is None and name not in optional]
    if missing:
        fail(path, f"{shape.name} lacks {missing}")
    for name, member in shape.members.items():
        # The end of a closed shard is NextShardIterator null: absent or null, as AWS and its emulators have it.
        if name in value and not (value[name] is None and name == "NextShardIterator"):
            check(member, value[name], f"{path}.{name}", cbor)


def check_list(shape, value, path, cbor):
    if not isinstance(value, list):
        fail(path, f"{value!r} for a list")
    for index, item in enumerate(value):
        check(shape.member, item, f"{path}[{index}]", cbor)


def check_map(shape, value, path, cbor):
    if not isinstance(value, dict):
        fail(path, f"{value!r} for a map")
    for key, item in value.items():
        check(shape.key, key, f"{path} key", cbor)
        check(shape.value, item, f"{path}[{key}]", cbor)


def check_string(shape, value, path, cbor):
    if not isinstance(value, str):
        fail(path, f"{value!r} for a string")
    if shape.enum and value not in shape.enum:
        fail(path, f"{value!r} is none of {shape.enum}")
    if not shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", math.inf):
        fail(path, f"a length of {len(value)} for {shape.name}")
    pattern = shape.metadata.get("pattern")
    if pattern and "\\p" not in pattern and not re.search(pattern, value):
        fail(path, f"{value!r} does not match {pattern}")


def check_integer(shape, value, path, cbor):
    if not isinstance(value, int) or isinstance(value, bool):
        fail(path, f"{value!r} for a whole number")


def check_blob(shape, value, path, cbor):
    if cbor:
        if not isinstance(value, bytes):
            fail(path, f"{type(value).__name__} for a byte string")
        return
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        fail(path, f"{value!r} is no base64")


def check_timestamp(shape, value, path, cbor):
    # JSON: seconds with a fraction. CBOR: whole milliseconds, their tag taken off by wire.decode_cbor.
    if isinstance(value, bool) or not isinstance(value, int if cbor else (int, float)):
        fail(path, f"{value!r} for a timestamp")
    seconds = value / 1000 if cbor else value
    if not 1.5e9 < seconds < 4e9:
        fail(path, f"{value!r} is no time of this age")
    if not cbor and abs(value * 1000 - round(value * 1000)) > 1e-3:
        fail(path, f"{value!r} is finer than a millisecond")


def check_scalar(shape, value, path, cbor):
    if shape.type_name == "boolean" and not isinstance(value, bool):
        fail(path, f"{value!r} for a boolean")


CHECKS = {
    "structure": check_structure,
    "list": check_list,
    "map": check_map,
    "string": check_string,
    "integer": check_integer,
    "long": check_integer,
    "blob": check_blob,
    "timestamp": check_timestamp,
}


def check_headers(headers, length):
    """What every answer carries, whatever it says."""
    lower = {name.lower(): value for name, value in headers.items()}
    request_id = lower.get("x-amzn-requestid")
    if not request_id:
        raise ShapeError("no x-amzn-RequestId")
    uuid.UUID(request_id)
    extended = base64.b64decode(lower.get("x-amz-id-2", ""), validate=True)
    if not 64 <= len(extended) <= 80:
        raise ShapeError(f"x-amz-id-2 has {len(extended)} bytes")
    if int(lower.get("content-length", -1)) != length:
        raise ShapeError(f"Content-Length is {lower.get('content-length')}, the body has {length} bytes")
    if "date" not in lower:
        raise ShapeError("no Date")
    return lower


def check_answer(operation, status, headers, body, read=json.loads, kind="application/x-amz-json-1.1"):
    """A whole answer of the operation, good or bad; `read` makes a value of the body."""
    lower = check_headers(headers, len(body))
    if lower.get("content-type") != kind:
        raise ShapeError(f"Content-Type is {lower.get('content-type')}")
    model = MODEL.operation_model(operation)
    if status == 200:
        if model.output_shape is None or not model.output_shape.members:
            if body:
                raise ShapeError(f"{operation} has no output, but a body: {body[:100]!r}")
        else:
            check(model.output_shape, read(body), cbor=read is not json.loads)
        return
    check_error(model, status, read(body), lower)


def check_error(model, status, answer, headers):
    kind = answer.get("__type")
    if kind not in {shape.name for shape in model.error_shapes} | COMMON_ERRORS:
        raise ShapeError(f"{model.name} may not answer {kind}")
    if status != (500 if kind.startswith("Internal") else 400):
        raise ShapeError(f"{kind} with status {status}")
    # SerializationException alone writes Message with a capital letter, and says nothing of what it cannot parse.
    words = {"SerializationException": ["", "Message"], "UnknownOperationException": [""]}.get(kind, ["message"])
    word = "".join(answer.keys() - {"__type"})
    if word not in words or (word and not isinstance(answer[word], str)):
        raise ShapeError(f"{kind} has the members {answer}")
    if headers.get("x-amzn-errortype", kind) != kind:
        raise ShapeError(f"x-amzn-ErrorType says {headers['x-amzn-errortype']}, the body {kind}")


def watch(client):
    """Checks every answer that this boto3 client gets, before boto3 reads it."""

    def before_parse(operation_model, response_dict, **_):
        body = response_dict["body"]
        if isinstance(body, bytes):
            check_answer(operation_model.name, response_dict["status_code"], response_dict["headers"], body)

    client.meta.events.register("before-parse.kinesis", before_parse)
    return client
