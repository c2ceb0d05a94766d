"""The messages of lean-python-bridge: matrix sums in two versions, its envelope, and "HEARTBEAT"."""

import os
import time

import json

import jsonschema

from . import formats

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


def answer(frames, _ops):
    """Answers one frame of JSON, perhaps after one with a correlation id."""
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
    if version not in SCHEMAS:
        raise ValueError(f"Unsupported schema version: {version}")
    try:
        SCHEMAS[version].validate(request)
    except jsonschema.ValidationError as e:
        raise ValueError(f"Invalid request: {e.message}") from None
    rows = request["matrix"]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("Invalid request: the rows of the matrix have different lengths")
    total = sum(int(x) for row in rows for x in row)
    return {
        "status": "success",
        "matrix_sum": float(total),
        "matrix_sum_exact": str(total),
        "model_checked": request["model"]["name"],
        "schema_version_used": version,
        "matrix_shape": [len(rows), *([len(rows[0])] if rows else [])],
        "data_type": "float64",
    }
