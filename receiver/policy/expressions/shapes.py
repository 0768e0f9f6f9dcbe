"""What is known of a value before any event: enough to find a misspelt field, or a comparison that can never work.

A shape is a Kind (a plain value), a mapping of field names to shapes, a ListOf, or None: nothing is known.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints, is_typeddict


class Kind(Enum):
    """The kind of a value, under CEL's name; NUMBER is an int or a double."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    NUMBER = "number"
    STRING = "string"
    LIST = "list"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose elements have this shape."""

    item: Shape | None


Shape: TypeAlias = "Mapping[str, Shape | None] | ListOf | Kind"

_PLAIN: dict[Any, Kind] = {bool: Kind.BOOL, int: Kind.INT, float: Kind.NUMBER, str: Kind.STRING}


def kind_of_shape(shape: Shape | None) -> Kind | None:
    """The kind of the values that have this shape, None if it is open."""
    if isinstance(shape, ListOf):
        return Kind.LIST
    if isinstance(shape, Mapping):
        return Kind.MAP
    return shape


def shape_of(document: type) -> dict[str, Shape | None]:
    """The shape of a TypedDict class, so that field names live in one place. `X | None` has the shape of X; a union of
    several types, such as any JSON value, is open.
    """
    return {name: _shape(hint) for name, hint in get_type_hints(document).items()}


def _shape(hint: Any) -> Shape | None:
    if get_origin(hint) in (Union, types.UnionType):
        known = [argument for argument in get_args(hint) if argument is not type(None)]
        return _shape(known[0]) if len(known) == 1 else None
    if is_typeddict(hint):
        return shape_of(hint)
    if get_origin(hint) is list:
        return ListOf(_shape(get_args(hint)[0]))
    if get_origin(hint) is Literal and all(isinstance(word, str) for word in get_args(hint)):
        return Kind.STRING
    return _PLAIN.get(hint) if isinstance(hint, type) else None
