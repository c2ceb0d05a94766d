"""The envelope of docs/wire.md: a header of JSON, a payload, and arrays in frames of their own."""

import json
import math

from . import formats

SCHEMA_VERSION = 1
MAX_HEADER = 64 << 10
# Names, and correlation ids.
MAX_NAME = 256
# Characters of an error's message.
MAX_MESSAGE = 1000
DTYPES = {"f64": ("<f8", 8), "f32": ("<f4", 4), "i64": ("<i8", 8)}


class Refused(Exception):
    """An error of a reply, with one of lean-oracle's codes or one of your own."""

    def __init__(self, code, message, field=None):
        super().__init__(message)
        # What cannot be read as a header is of no use, and functions quote what they were given.
        self.code, self.message, self.field = code, str(message)[:MAX_MESSAGE], field


class Request:
    """What a client asks."""

    def __init__(self, correlation_id, op, deadline_ms, content_type, payload, arrays):
        self.correlation_id, self.op, self.deadline_ms = correlation_id, op, deadline_ms
        self.content_type, self.payload, self.arrays = content_type, payload, arrays


def peek(frames):
    """The correlation id of frames that may be broken otherwise."""
    try:
        if len(frames[0]) > MAX_HEADER:
            return ""
        correlation_id = json.loads(bytes(frames[0])).get("correlation_id", "")
        return correlation_id if isinstance(correlation_id, str) and len(correlation_id) <= MAX_NAME else ""
    except Exception:  # whatever is wrong with them is said elsewhere
        return ""


def read_request(frames):
    """Reads frames, or raises Refused."""
    if not frames or len(frames[0]) > MAX_HEADER:
        raise Refused("too_large", f"a header of more than {MAX_HEADER} bytes", "header")
    try:
        header = json.loads(bytes(frames[0]))
        version = header.get("schema_version")
    except Exception as e:
        raise Refused("parse", f"the header: {e}", "header") from None
    if type(version) is not int or version != SCHEMA_VERSION:
        message = f"schema_version {json.dumps(version)} is not spoken here; {SCHEMA_VERSION} is"
        raise Refused("unsupported_version", message, "schema_version")
    op, content_type = header.get("op"), header.get("content_type", formats.JSON)
    if not isinstance(op, str):
        raise Refused("parse", "the header has no op", "op")
    if len(op) > MAX_NAME:
        raise Refused("too_large", f"longer than {MAX_NAME} characters", "op")
    if len(frames) < 2:
        raise Refused("parse", "a message without a payload", "payload")
    specs = header.get("arrays") or []
    if not isinstance(specs, list) or len(specs) != len(frames) - 2:
        raise Refused("bad_request", f"the header does not name {len(frames) - 2} arrays, which came", "arrays")
    try:
        payload = formats.decode(frames[1], content_type)
    except (ValueError, ImportError) as e:
        raise Refused("parse", str(e), "payload") from None
    arrays = [_array(spec, frame) for spec, frame in zip(specs, frames[2:])]
    return Request(peek(frames), op, header.get("deadline_ms"), content_type, payload, arrays)


def _array(spec, frame):
    try:
        dtype, size = DTYPES[spec["dtype"]]
        shape = tuple(spec["shape"])
        whole = all(type(n) is int and n >= 0 for n in shape) and math.prod(shape) * size == len(frame)
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise Refused("bad_request", f"an array that is not as it says: {spec!r}", "arrays")
    import numpy

    try:
        return numpy.frombuffer(frame, dtype).reshape(shape)
    except ValueError as e:  # a dimension beyond what NumPy counts
        raise Refused("bad_request", str(e), "arrays") from None


def reply(correlation_id, payload, arrays, content_type):
    """The frames of an answer. Raises ValueError when a value cannot be written."""
    content_type, data = formats.best(payload, content_type)
    header = {"schema_version": SCHEMA_VERSION, "correlation_id": correlation_id, "status": "ok"}
    header["content_type"] = content_type
    frames = []
    if arrays:
        import numpy

        names = {numpy.dtype(d): name for name, (d, _) in DTYPES.items()}
        specs = []
        for array in arrays:
            shape = numpy.shape(array)
            array = numpy.ascontiguousarray(array)
            name = names.get(array.dtype.newbyteorder("<"))
            if name is None:
                raise ValueError(f"arrays of {array.dtype} cannot be sent; f64, f32 and i64 can")
            specs.append({"dtype": name, "shape": list(shape)})
            frames.append(array.astype(DTYPES[name][0], copy=False).data.cast("B") if array.size else b"")
        header["arrays"] = specs
    return [json.dumps(header).encode(), data, *frames]


def error(correlation_id, e):
    """The frames of a refusal."""
    header = {"schema_version": SCHEMA_VERSION, "correlation_id": correlation_id, "status": "error"}
    header["error"] = {"code": e.code, "message": e.message, "field": e.field}
    return [json.dumps(header).encode(), b""]
