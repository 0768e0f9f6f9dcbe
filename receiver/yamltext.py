"""YAML text -> JSON values with positions, read strictly.

YAML 1.2 core scalars (`NO` is a string, `22:30` is a string), no duplicate keys, no tags, aliases bounded, JSON types
only. The positions let every later finding name its line. Built on the events of PyYAML's C parser: its composer
recurses without a bound, and a text of brackets kills the process there.
Source: YAML 1.2.2 section 10.3 (core schema); https://yaml.org/type/merge.html for `<<`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import yaml

from receiver.contract import JsonObject, JsonValue
from receiver.errors import ConfigurationError, Problem
from receiver.yamlfaults import TEMPLATE_IN_THE_OPEN, fault_of

Path: TypeAlias = tuple[str | int, ...]
Mark: TypeAlias = tuple[int, int]

MAX_DEPTH = 64
MAX_SIZE = 16 * 1024**2  # characters of one text
MAX_VALUES = 500_000  # in one text; a policy of 10,000 rules with examples has 450,000
MAX_ALIASED = 250_000  # values and keys that stand there through aliases: a bomb of nested aliases ends here

_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NUMERIC = frozenset("+-.0123456789")  # what a number begins with
_CONSTANTS: dict[str, JsonValue] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# 1.1 readers take these for other types; the checker warns of them
LEGACY_BOOLEANS = frozenset("y Y yes Yes YES n N no No NO on On ON off Off OFF".split())
_NO_TEXT = LEGACY_BOOLEANS | _CONSTANTS.keys()  # words that are not just text; numbers are told by what they begin with
_Scalar: Any = yaml.ScalarEvent  # looked up for every event

YAML_CODES: Mapping[str, str] = {
    "Y001": "the text is not YAML: indentation, quotes, brackets, or a character that begins no value",
    "Y002": "a key stands twice in one mapping",
    "Y003": "a key that is not text, or a number too large to be kept",
    "Y004": "too many values once aliases are followed, or nested too deeply",
    "Y005": "`<<` merges something that is not a mapping",
    "Y006": "a value that YAML takes for a tag, since it begins with `!`",
}


@dataclass(slots=True)
class _Listed:
    """The places of a list and its items."""

    mark: yaml.Mark
    items: list[_Place]


@dataclass(slots=True)
class _Mapped:
    """The places of a mapping, its keys and its values."""

    mark: yaml.Mark
    keys: dict[str, yaml.Mark]
    values: dict[str, _Place]


_Place: TypeAlias = "yaml.Mark | _Listed | _Mapped"  # as the values nest: a scalar's place is its mark alone


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as JSON values, with the place (line, column; from 1) of every value and every key."""

    path: str
    text: str
    value: JsonValue
    _place: _Place | None  # None: the text is empty
    _legacy: frozenset[Mark]  # where words of LEGACY_BOOLEANS stand without quotes, here or in the document around this

    def locate(self, where: Path, *, key: bool = False) -> Mark:
        """The place of `where`, or of its nearest ancestor that stands in the text."""
        place = above = self._place
        for step in where:
            inside: _Place | None = None
            if type(place) is _Mapped:
                inside = place.values.get(step)  # type: ignore[arg-type]  # a number is no key
            elif type(place) is _Listed and isinstance(step, int) and 0 <= step < len(place.items):
                inside = place.items[step]
            if inside is None:
                break
            place, above = inside, place
        else:
            if key and where and type(above) is _Mapped:
                return _position(above.keys[str(where[-1])])
        return (1, 1) if place is None else _position(_mark_of(place))

    def problem(self, where: Path, code: str, message: str, *, key: bool = False, warning: bool = False) -> Problem:
        """A finding at `where`."""
        line, column = self.locate(where, key=key)
        return Problem(self.path, line, column, "warning" if warning else "error", code, message)

    def below(self, prefix: Path) -> Document:
        """The part under `prefix` as a document of its own, with the same lines."""
        value: Any = self.value
        place: Any = self._place
        for step in prefix:
            inside: Any = place.values if isinstance(place, _Mapped) else place.items
            value, place = value[step], inside[step]
        return Document(self.path, self.text, value, place, self._legacy)

    def legacy_booleans(self) -> Iterator[tuple[str, Mark]]:
        """The words without quotes that other YAML readers take for booleans, with their places."""
        pending = [(self.value, self._place)] if self._legacy else []
        found: dict[Mark, str] = {}  # an alias stands at the place of its anchor
        while pending:
            value, place = pending.pop()
            if isinstance(place, _Mapped) and isinstance(value, dict):
                pending += [(value[key], inside) for key, inside in place.values.items()]
            elif isinstance(place, _Listed) and isinstance(value, list):
                pending += zip(value, place.items, strict=True)
            elif isinstance(value, str) and place is not None and _position(_mark_of(place)) in self._legacy:
                found[_position(_mark_of(place))] = value
        yield from ((word, mark) for mark, word in found.items())


def _mark_of(place: _Place) -> yaml.Mark:
    return place.mark if isinstance(place, _Listed | _Mapped) else place


def _position(mark: yaml.Mark) -> Mark:
    return mark.line + 1, mark.column + 1


def read_yaml(text: str, path: str) -> Document:
    """Read one YAML document. Raises ConfigurationError with every problem found (codes Y001-Y006)."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_SIZE:
        said = f"the text is too long: over {MAX_SIZE:,} characters"
        raise ConfigurationError([Problem(path, 1, 1, "error", "Y004", said)])
    reader = _Reader(path, text)
    try:
        value, place = reader.document()
    except yaml.YAMLError as error:
        fault = fault_of(text, error)
        raise ConfigurationError([Problem(path, fault.line, fault.column, "error", "Y001", fault.message)]) from None
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return Document(path, text, value, place, frozenset(reader.legacy))


class _Reader:
    """Builds values and places from the parser's events as they come, and collects problems.

    Each method that builds is given the event that its value begins with, and takes the others with `_next`.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.legacy: set[Mark] = set()
        self._next: Callable[[], Any] = yaml.CSafeLoader(text).get_event
        self._anchors: dict[str, list[Any]] = {}  # the events of each value that an alias may repeat
        self._values = 0
        self._aliased = 0

    def document(self) -> tuple[JsonValue, _Place | None]:
        """The one document. Raises YAMLError, and ConfigurationError where it is too large to be read on."""
        self._next()  # the stream begins
        first = self._next()
        if isinstance(first, yaml.StreamEndEvent):
            return None, None
        built = self._build(self._next(), 0)
        self._next()  # the document ends
        after = self._next()
        if isinstance(after, yaml.DocumentStartEvent):
            raise _fault("but found another document", after)
        return built

    def _build(self, event: Any, depth: int) -> tuple[JsonValue, _Place]:
        if type(event) is _Scalar and event.anchor is None and event.tag is None and self._values < MAX_VALUES:
            self._values += 1  # most values are such: they are built without further calls
            return event.value if event.style else self._plain(event), event.start_mark
        if event.anchor is not None:
            return self._repeated(event, depth) if type(event) is yaml.AliasEvent else self._named(event, depth)
        return self._value(event, depth)

    def _value(self, event: Any, depth: int) -> tuple[JsonValue, _Place]:
        self._values += 1
        if self._values > MAX_VALUES:
            self._stop(event, f"too many values: over {MAX_VALUES:,}")
        if event.tag is not None:
            self._problem(
                event.start_mark, "Y006", "a value that begins with `!` is a tag to YAML: put the whole value in quotes"
            )
        mark: yaml.Mark = event.start_mark
        if type(event) is _Scalar:
            return (event.value if event.style else self._plain(event)), mark
        if depth >= MAX_DEPTH:
            self._stop(event, f"nested over {MAX_DEPTH} deep")
        return self._list(event, depth) if type(event) is yaml.SequenceStartEvent else self._mapping(event, depth)

    def _named(self, event: Any, depth: int) -> tuple[JsonValue, _Place]:
        """A value with an anchor: its events are kept."""
        known = self._anchors.get(event.anchor)
        if known is not None and known[0] is event:  # an alias of a value around this one repeats it
            return self._value(event, depth)
        if known is not None:
            raise _fault("found duplicate anchor", event)
        take, kept = self._next, [event]

        def take_and_keep() -> Any:
            kept.append(take())
            return kept[-1]

        self._next = take_and_keep
        built = self._value(event, depth)
        self._next = take
        self._anchors[event.anchor] = kept
        return built

    def _repeated(self, event: Any, depth: int) -> tuple[JsonValue, _Place]:
        """The value that an alias stands for, built anew from its events."""
        if event.anchor not in self._anchors:
            raise _fault("found undefined alias", event)
        take, kept = self._next, self._anchors[event.anchor]
        self._aliased += len(kept)
        if self._aliased > MAX_ALIASED:
            self._stop(event, f"too many values through aliases: over {MAX_ALIASED:,}")
        again = iter(kept)
        self._next = again.__next__
        built = self._value(next(again), depth)
        self._next = take
        return built

    def _list(self, start: Any, depth: int) -> tuple[JsonValue, _Place]:
        values: list[JsonValue] = []
        place = _Listed(start.start_mark, [])
        end = yaml.SequenceEndEvent
        while type(event := self._next()) is not end:
            value, inside = self._build(event, depth + 1)
            values.append(value)
            place.items.append(inside)
        return values, place

    def _mapping(self, start: Any, depth: int) -> tuple[JsonValue, _Place]:
        value: JsonObject = {}
        place = _Mapped(start.start_mark, {}, {})
        merged: list[tuple[JsonValue, _Place]] = []
        end = yaml.MappingEndEvent
        while type(event := self._next()) is not end:
            plain = type(event) is _Scalar and event.anchor is None
            key: str | None = event.value if plain else self._key(event, start, depth)
            inner, inside = self._build(self._next(), depth + 1)
            if key == "<<" and not getattr(event, "style", ""):
                merged += self._sources(inner, inside)
            elif key in value:
                first = _position(place.keys[key])[0]
                self._problem(event.start_mark, "Y002", f"key {key!r} stands twice; the first is in line {first}")
            elif key is not None:
                value[key], place.keys[key], place.values[key] = inner, event.start_mark, inside
        for source in merged:
            _merge(value, place, *source)
        return value, place

    def _sources(self, value: JsonValue, place: _Place) -> Iterator[tuple[JsonValue, _Place]]:
        """The mappings that `<<` merges."""
        sources: Iterable[tuple[JsonValue, _Place]] = [(value, place)]
        if isinstance(value, list) and isinstance(place, _Listed):
            sources = zip(value, place.items, strict=True)
        for source in sources:
            if isinstance(source[1], _Mapped):
                yield source
            else:
                said = "`<<` merges mappings: give it the alias of one (`*name`), or a list of such aliases"
                self._problem(_mark_of(source[1]), "Y005", said)

    def _key(self, event: Any, mapping: Any, depth: int) -> str | None:
        """A key that is no scalar, or stands for more than itself."""
        _, place = self._build(event, depth + 1)
        if not isinstance(place, _Listed | _Mapped):
            return str(self._anchors[event.anchor][0].value)
        if isinstance(place, _Mapped) and mapping.flow_style and place.mark.index == mapping.start_mark.index + 1:
            self._problem(mapping.start_mark, "Y003", TEMPLATE_IN_THE_OPEN)  # `{{ x }}`: its key is a mapping
        else:
            self._problem(place.mark, "Y003", "a key must be text")
        return None

    def _plain(self, event: Any) -> JsonValue:
        text: str = event.value
        if text not in _NO_TEXT and text[0] not in _NUMERIC:
            return text
        if text in LEGACY_BOOLEANS:
            self.legacy.add(_position(event.start_mark))
        try:
            return _plain_scalar(text)
        except ValueError:
            self._problem(event.start_mark, "Y003", "no number of this size is kept: put it in quotes")
            return None

    def _problem(self, mark: Any, code: str, message: str) -> None:
        self.problems.append(Problem(self.path, *_position(mark), "error", code, message))

    def _stop(self, event: Any, message: str) -> NoReturn:
        """Nothing more is read: a text that is too large may be made to be so."""
        self._problem(event.start_mark, "Y004", message)
        raise ConfigurationError(self.problems)


def _fault(said: str, event: Any) -> yaml.YAMLError:
    """What PyYAML's composer would raise."""
    return yaml.composer.ComposerError(None, None, said, event.start_mark)


def _merge(value: JsonObject, place: _Mapped, source: JsonValue, source_place: _Place) -> None:
    """Take what is not there yet."""
    assert isinstance(source, dict)
    assert isinstance(source_place, _Mapped)
    for key in source:
        if key not in value:
            value[key], place.values[key] = source[key], source_place.values[key]
            place.keys[key] = source_place.keys[key]


def _plain_scalar(text: str) -> JsonValue:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INT.match(text):
        return int(text)
    if _OCTAL.match(text) or _HEX.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(text)
        return number
    return text
