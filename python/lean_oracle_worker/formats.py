"""Payloads in JSON, MessagePack and Protocol Buffers. A value survives unchanged or is refused by name."""

import functools
import json
import math
import re

JSON, MSGPACK, PROTOBUF = "application/json", "application/msgpack", "application/x-protobuf"
FORMATS = (JSON, MSGPACK, PROTOBUF)
MAX_DEPTH = 32


def encode(value, content_type):
    """Writes a value; raises ValueError where the format has no way to say it."""
    _check(value, MAX_DEPTH)
    if content_type == JSON:
        try:
            text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        except TypeError as e:
            raise ValueError(f"JSON: {e}") from None
        except ValueError:
            raise ValueError("JSON has neither NaN nor infinities") from None
        return text.encode()
    if content_type == MSGPACK:
        try:
            return _msgpack().packb(value, use_bin_type=True)
        except OverflowError:
            raise ValueError("MessagePack has no integers beyond 64 bits") from None
    if content_type == PROTOBUF:
        message = _messages()["Value"]()
        _to_proto(value, message)
        return message.SerializeToString()
    raise ValueError(f"no such content type: {content_type!r}")


def decode(data, content_type):
    """Reads a value; raises ValueError where there is none."""
    data = bytes(data)
    try:
        if content_type == JSON:
            hooks = {"parse_constant": _no_constant, "parse_float": _finite, "parse_int": _integer}
            value = json.loads(data, object_pairs_hook=_distinct, **hooks)
        elif content_type == MSGPACK:
            value = _msgpack().unpackb(data, raw=False, strict_map_key=True, object_pairs_hook=_distinct)
        elif content_type == PROTOBUF:
            message = _messages()["Value"]()
            message.ParseFromString(data)
            value = _of_proto(message)
        else:
            raise ValueError(f"no such content type: {content_type!r}")
    except (ValueError, ImportError):
        raise
    except Exception as e:  # the errors of msgpack, protobuf and deep recursion have no common class
        raise ValueError(f"the payload is not {content_type}: {e}") from None
    _check(value, MAX_DEPTH)
    return value


def best(value, first):
    """The value in the format `first`, or in another one if that cannot say it."""
    refusal = None
    for content_type in (first, MSGPACK, PROTOBUF, JSON):
        try:
            return content_type, encode(value, content_type)
        except (ValueError, ImportError) as e:
            refusal = refusal or e
    raise ValueError(str(refusal))


def _distinct(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice in a map")
    return value


def _no_constant(name):
    raise ValueError(f"JSON has no {name}")


def _finite(text):
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is beyond the doubles")
    return value


def _integer(text):
    return -0.0 if text == "-0" else int(text)


_PLAIN = (type(None), bool, int, float, str, bytes, bytearray, memoryview)


def _check(value, left):
    # Extensions of MessagePack are tuples with a class of their own.
    if not isinstance(value, _PLAIN) and type(value) not in (list, tuple, dict):
        raise ValueError(f"no way to write a {type(value).__name__}")
    if isinstance(value, int) and value not in _LONG:
        raise ValueError(f"an integer of {value.bit_length()} bits: beyond 128")
    if isinstance(value, (list, tuple, dict)):
        if left == 0:
            raise ValueError(f"lists and maps are nested deeper than {MAX_DEPTH}")
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, left - 1)
        if isinstance(value, dict) and not all(isinstance(k, str) for k in value):
            raise ValueError("the names in a map must be strings")


@functools.lru_cache(maxsize=None)
def _msgpack():
    try:
        import msgpack
    except ImportError:
        raise ImportError("MessagePack needs the package msgpack") from None
    return msgpack


@functools.lru_cache(maxsize=None)
def _messages():
    """The messages of value.proto, described here so that no generated code has to fit the runtime."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise ImportError("Protocol Buffers need the package protobuf") from None
    kinds = descriptor_pb2.FieldDescriptorProto
    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    file = descriptor_pb2.FileDescriptorProto(
        name="lean_oracle/value.proto", package="lean_oracle.v1", syntax="proto3"
    )
    fields = {
        "Value": [
            ("null", kinds.TYPE_BOOL, one),
            ("boolean", kinds.TYPE_BOOL, one),
            ("integer", kinds.TYPE_SINT64, one),
            ("big_integer", kinds.TYPE_STRING, one),
            ("number", kinds.TYPE_DOUBLE, one),
            ("text", kinds.TYPE_STRING, one),
            ("data", kinds.TYPE_BYTES, one),
            ("list", "List", one),
            ("map", "Map", one),
            ("numbers", "Numbers", one),
            ("integers", "Integers", one),
        ],
        "List": [("items", "Value", many)],
        "Map": [("entries", "Entry", many)],
        "Entry": [("key", kinds.TYPE_STRING, one), ("value", "Value", one)],
        "Numbers": [("values", kinds.TYPE_DOUBLE, many)],
        "Integers": [("values", kinds.TYPE_SINT64, many)],
    }
    for name, entries in fields.items():
        message = file.message_type.add(name=name)
        if name == "Value":
            message.oneof_decl.add(name="kind")
        for number, (field, kind, label) in enumerate(entries, 1):
            f = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                f.type, f.type_name = kinds.TYPE_MESSAGE, f".lean_oracle.v1.{kind}"
            else:
                f.type = kind
            if name == "Value":
                f.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    get = message_factory.GetMessageClass
    return {name: get(pool.FindMessageTypeByName(f"lean_oracle.v1.{name}")) for name in fields}


_WORD = range(-(1 << 63), 1 << 63)
_LONG = range(-(1 << 127), 1 << 127)


def _to_proto(value, out):
    if value is None:
        out.null = True
    elif isinstance(value, bool):
        out.boolean = value
    elif isinstance(value, int):
        if value in _WORD:
            out.integer = value
        else:
            out.big_integer = str(value)
    elif isinstance(value, float):
        out.number = value
    elif isinstance(value, str):
        out.text = value
    elif isinstance(value, (bytes, bytearray, memoryview)):
        out.data = bytes(value)
    elif isinstance(value, (list, tuple)):
        if value and all(type(x) is float for x in value):
            out.numbers.values.extend(value)
        elif value and all(type(x) is int and x in _WORD for x in value):
            out.integers.values.extend(value)
        else:
            out.list.SetInParent()
            for item in value:
                _to_proto(item, out.list.items.add())
    elif isinstance(value, dict):
        out.map.SetInParent()
        for key, item in value.items():
            entry = out.map.entries.add(key=key)
            _to_proto(item, entry.value)
    else:
        raise ValueError(f"no way to write a {type(value).__name__}")


def _of_proto(message):
    kind = message.WhichOneof("kind")
    if kind is None:
        raise ValueError("a value of no kind, or of one that is not known")
    if kind == "null":
        return None
    if kind == "big_integer":
        # Nothing but digits: int() takes more than the other side does.
        if not re.fullmatch("[+-]?[0-9]{1,39}", message.big_integer):
            raise ValueError("a big integer that is none, or is beyond 128 bits")
        return int(message.big_integer)
    if kind == "list":
        return [_of_proto(item) for item in message.list.items]
    if kind == "map":
        return _distinct([(e.key, _of_proto(e.value)) for e in message.map.entries])
    if kind in ("numbers", "integers"):
        return list(getattr(message, kind).values)
    return getattr(message, kind)
