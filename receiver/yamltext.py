"""YAML text -> JSON values with positions, read strictly.

YAML 1.2 core scalars (`NO` is a string, `22:30` is a string), no duplicate keys, no tags, aliases bounded, JSON types
only. The positions let every later finding name its line. Built on PyYAML's C composer, which gives the marks.
Source: YAML 1.2.2 section 10.3 (core schema); https://yaml.org/type/merge.html for `<<`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from receiver.contract import JsonObject, JsonValue
from receiver.errors import ConfigurationError, Problem
from receiver.yamlfaults import TEMPLATE_IN_THE_OPEN, fault_of

Path: TypeAlias = tuple[str | int, ...]
Mark: TypeAlias = tuple[int, int]

MAX_NODES = 500_000  # after aliases are followed: a bomb of nested aliases ends here
MAX_DEPTH = 64

_TAG = "tag:yaml.org,2002:str"  # stands for all types: values are typed by `_plain_scalar`
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_CONSTANTS: dict[str, JsonValue] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# 1.1 readers take these for other types; the checker warns of them
LEGACY_BOOLEANS = frozenset("y Y yes Yes YES n N no No NO on On ON off Off OFF".split())

YAML_CODES: Mapping[str, str] = {
    "Y001": "the text is not YAML: indentation, quotes, brackets, or a character that begins no value",
    "Y002": "a key stands twice in one mapping",
    "Y003": "a key that is not text, or a number too large to be kept",
    "Y004": "too many values once aliases are followed, or nested too deeply",
    "Y005": "`<<` merges something that is not a mapping",
    "Y006": "a value that YAML takes for a tag, since it begins with `!`",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as JSON values, with the place (line, column; from 1) of every value and every key."""

    path: str
    text: str
    value: JsonValue
    marks: Mapping[Path, Mark]
    key_marks: Mapping[Path, Mark]
    plain: frozenset[Path]  # scalars written without quotes

    def locate(self, where: Path, *, key: bool = False) -> Mark:
        """The place of `where`, or of its nearest ancestor that stands in the text."""
        if key and where in self.key_marks:
            return self.key_marks[where]
        while where and where not in self.marks:
            where = where[:-1]
        return self.marks.get(where, (1, 1))

    def problem(self, where: Path, code: str, message: str, *, key: bool = False, warning: bool = False) -> Problem:
        """A finding at `where`."""
        line, column = self.locate(where, key=key)
        return Problem(self.path, line, column, "warning" if warning else "error", code, message)

    def below(self, prefix: Path) -> Document:
        """The part under `prefix` as a document of its own, with the same lines."""
        size = len(prefix)
        value: JsonValue = self.value
        for step in prefix:
            value = value[step]  # type: ignore[index]  # the caller has walked here before
        return Document(
            self.path,
            self.text,
            value,
            {path[size:]: mark for path, mark in self.marks.items() if path[:size] == prefix},
            {path[size:]: mark for path, mark in self.key_marks.items() if path[:size] == prefix},
            frozenset(path[size:] for path in self.plain if path[:size] == prefix),
        )


def read_yaml(text: str, path: str) -> Document:
    """Read one YAML document. Raises ConfigurationError with every problem found (codes Y001-Y006)."""
    text = text.removeprefix("\ufeff")
    reader = _Reader(path, text)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigurationError([_syntax_problem(path, text, error)]) from None
    except RecursionError:
        raise ConfigurationError([Problem(path, 1, 1, "error", "Y004", f"nested over {MAX_DEPTH} deep")]) from None
    value = reader.build(node, ()) if node is not None else None
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return Document(path, text, value, reader.marks, reader.key_marks, frozenset(reader.plain))


def _syntax_problem(path: str, text: str, error: yaml.YAMLError) -> Problem:
    fault = fault_of(text, error)
    return Problem(path, fault.line, fault.column, "error", "Y001", fault.message)


def _mark(node: yaml.Node) -> Mark:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Loader(yaml.CSafeLoader):
    """Composes nodes without working out YAML 1.1 types, which nobody asks for here and which takes long."""

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        """The tag of a node that names none."""
        return _TAG

    def descend_resolver(self, current_node: object, current_index: object) -> None:
        """Path resolvers are not used."""

    def ascend_resolver(self) -> None:
        """Likewise."""


class _Reader:
    """Walks the composed nodes once, and collects values, marks and problems."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text
        self.problems: list[Problem] = []
        self.marks: dict[Path, Mark] = {}
        self.key_marks: dict[Path, Mark] = {}
        self.plain: set[Path] = set()
        self.nodes = 0

    def build(self, node: yaml.Node, where: Path) -> JsonValue:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(where) > MAX_DEPTH:
            if not any(problem.code == "Y004" for problem in self.problems):
                self._problem(
                    node,
                    "Y004",
                    f"too many values (over {MAX_NODES:,} once aliases are followed), or nested over {MAX_DEPTH} deep",
                )
            return None
        self.marks.setdefault(where, _mark(node))
        if not node.tag.startswith("tag:yaml.org,2002:") or self._text.startswith("!", node.start_mark.index):
            self._problem(node, "Y006", "a value that begins with `!` is a tag to YAML: put the whole value in quotes")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*where, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, where)

    def _mapping(self, node: yaml.MappingNode, where: Path, merges: int = 0) -> JsonObject:
        merged: JsonObject = {}
        own: JsonObject = {}
        for key_node, value_node in node.value:
            if key_node.value == "<<" and not key_node.style:
                for source in self._merge_sources(value_node, merges):
                    merged = {**self._mapping(source, where, merges + 1), **merged}
                continue
            key = self._key(key_node, node)
            if key is None:
                continue
            place = (*where, key)
            if key in own:
                first = self.key_marks.get(place, (0, 0))[0]
                self._problem(key_node, "Y002", f"key {key!r} stands twice; the first is in line {first}")
                continue
            self.key_marks[place] = _mark(key_node)
            self.marks.pop(place, None)
            own[key] = self.build(value_node, place)
        return {**merged, **own}

    def _merge_sources(self, node: yaml.Node, merges: int) -> Iterator[yaml.MappingNode]:
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            self.nodes += 1
            if isinstance(item, yaml.MappingNode) and self.nodes <= MAX_NODES and merges < MAX_DEPTH:
                yield item
            else:
                self._problem(
                    item, "Y005", "`<<` merges mappings: give it the alias of one (`*name`), or a list of such aliases"
                )

    def _key(self, node: yaml.Node, mapping: yaml.MappingNode) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        follows = node.start_mark.index == mapping.start_mark.index + 1
        if isinstance(node, yaml.MappingNode) and mapping.flow_style and follows:
            self._problem(mapping, "Y003", TEMPLATE_IN_THE_OPEN)  # `{{ x }}`: a mapping whose key is a mapping
        else:
            self._problem(node, "Y003", "a key must be text")
        return None

    def _scalar(self, node: yaml.Node, where: Path) -> JsonValue:
        text = str(node.value)
        if isinstance(node, yaml.ScalarNode) and node.style:
            return text
        self.plain.add(where)
        try:
            return _plain_scalar(text)
        except ValueError:
            self._problem(node, "Y003", "no number of this size is kept: put it in quotes")
            return None

    def _problem(self, node: yaml.Node, code: str, message: str) -> None:
        line, column = _mark(node)
        self.problems.append(Problem(self.path, line, column, "error", code, message))


def _plain_scalar(text: str) -> JsonValue:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
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
