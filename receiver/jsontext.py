"""JSON as it is kept: read strictly, written canonically.

Reading refuses what two parsers could understand differently (duplicate keys, NaN) and what could hurt whoever reads
it later (endless nesting, numbers no double can hold). Integers keep every digit. Strings may hold lone surrogates,
which a JSON text can spell though UTF-8 cannot.
"""

from __future__ import annotations

import json
import math

from receiver.contract import JsonObject, JsonValue
from receiver.errors import PayloadRejected

MAX_DEPTH = 64  # the outermost object counts as one
MAX_DIGITS = 4300  # also Python's own limit for integers, which the decoder applies


def read_object(body: bytes) -> JsonObject:
    """The JSON object that `body` holds: UTF-8 without a byte order mark, nothing around it but white space.

    Raises PayloadRejected, and nothing else, whatever the bytes. Its message quotes nothing of them.
    """
    try:
        value = _DECODER.decode(body.decode())
    except UnicodeDecodeError:
        raise PayloadRejected("the body is not UTF-8") from None
    except json.JSONDecodeError:
        raise PayloadRejected("the body is not JSON") from None
    except ValueError:  # from int(): the interpreter's limit
        raise PayloadRejected(f"a number has over {MAX_DIGITS} digits") from None
    except RecursionError:
        raise PayloadRejected(f"nested over {MAX_DEPTH} deep") from None
    if not isinstance(value, dict):
        raise PayloadRejected("the body is not a JSON object")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise PayloadRejected(f"nested over {MAX_DEPTH} deep")
    return value


def canonical(value: JsonValue, ascii: bool) -> bytes:  # noqa: A002  # the word for it, as in json's ensure_ascii
    """`value` in the canonical form that Didit signs: floats without a fraction as integers, keys sorted by code
    point, no white space; non-ASCII characters escaped (`ascii`) or as UTF-8.

    Raises UnicodeEncodeError for a lone surrogate when not `ascii`. `value` must be nested as `read_object` allows.
    """
    encoder = _ESCAPING if ascii else _PLAIN
    return encoder.encode(_shorten(value)).encode()


def _unique(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise PayloadRejected("a key stands twice in one object")
    return members


def _finite(text: str) -> float:
    if len(text) > MAX_DIGITS and sum(map(str.isdigit, text)) > MAX_DIGITS:
        raise PayloadRejected(f"a number has over {MAX_DIGITS} digits")
    number = float(text)
    if math.isinf(number):
        raise PayloadRejected("a number is out of range")
    return number


def _constant(_name: str) -> float:
    raise PayloadRejected("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_constant)
_ESCAPING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)
_PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False, ensure_ascii=False)
_MAY_SHORTEN = (dict, list, float)


def _deeper_than(value: JsonValue, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
    return bool(level)


def _children(node: JsonValue) -> list[JsonValue]:
    """The objects and arrays right inside `node`."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [child for child in inside if isinstance(child, dict | list)]


def _shorten(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _shorten(inner) if isinstance(inner, _MAY_SHORTEN) else inner for key, inner in value.items()}
    if isinstance(value, list):
        return [_shorten(inner) if isinstance(inner, _MAY_SHORTEN) else inner for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
