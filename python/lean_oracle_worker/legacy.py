"""The messages of lean-python-bridge: matrix sums in two versions, its envelope, and "HEARTBEAT"."""

import os
import time

import json

import jsonschema

from . import formats
from .wire import Refused

MODEL = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
    "required": ["name", "version"],
}


def _schema(version):
    model = dict(MODEL)
    if version == 2:
        model["properties"] = {**MODEL["properties"], "author": {"type": "string"}}
    rows = {"type": "array", "items": {"type": "integer"}}
    return {
        "type": "object",
        "properties": {
            "schema_version": {"type": "integer"},
            "matrix": {"type": "array", "items": rows},
            "model": model,
        },
        "required": ["schema_version", "matrix", "model"],
    }


SCHEMAS = {version: jsonschema.Draft7Validator(_schema(version)) for version in (1, 2)}


# Its requests are not longer.
MAX_REQUEST = 8 << 20


def refuse(e):
    """The error reply to a message that is not answered at all."""
    return json.dumps({"status": "error", "message": e.message, "timestamp": time.time()}).encode()


def answer(frames):
    """Answers one frame of JSON, perhaps after one with a correlation id."""
    if len(frames[-1]) > MAX_REQUEST:
        return refuse(Refused("too_large", f"Invalid request: {len(frames[-1])} bytes; the limit is {MAX_REQUEST}"))
    correlation = bytes(frames[0]).decode(errors="replace") if len(frames) > 1 else None
    try:
        request = formats.decode(frames[-1], formats.JSON)
    except ValueError as e:
        reply = {"status": "error", "message": f"Invalid JSON: {e}"}
    else:
        if isinstance(request, dict) and request.get("correlation_id") is not None:
            correlation = request["correlation_id"]
        if isinstance(request, dict) and "payload" in request:
            request = request["payload"]
        if request == "HEARTBEAT":
            reply = {"status": "heartbeat_ack", "server_id": f"server_{os.getpid()}"}
        else:
            try:
                reply = _matrix_sum(request)
            except ValueError as e:
                reply = {"status": "error", "message": str(e)}
    reply["timestamp"] = time.time()
    if correlation is not None:
        reply["correlation_id"] = correlation
    return json.dumps(reply).encode()


def _matrix_sum(request):
    version = request.get("schema_version", 1) if isinstance(request, dict) else 1
    if type(version) is not int or version not in SCHEMAS:
        raise ValueError(f"Unsupported schema version: {str(version)[:100]}")
    try:
        SCHEMAS[version].validate(request)
    except jsonschema.ValidationError as e:
        raise ValueError(f"Invalid request: {e.message[:1000]}") from None
    rows = request["matrix"]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("Invalid request: the rows of the matrix have different lengths")
    total = sum(int(x) for row in rows for x in row)
    if total.bit_length() > 127:
        raise ValueError("Invalid request: the sum is beyond 128 bits")
    return {
        "status": "success",
        "matrix_sum": float(total),
        "matrix_sum_exact": str(total),
        "model_checked": request["model"]["name"],
        "schema_version_used": version,
        "matrix_shape": [len(rows), *([len(rows[0])] if rows else [])],
        "data_type": "float64",
    }
