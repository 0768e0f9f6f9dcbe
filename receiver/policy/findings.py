"""What is wrong in one document, gathered: every finding with its place, down to the character inside an expression."""

from __future__ import annotations

import typing
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from receiver.contract import JsonValue
from receiver.errors import Problem
from receiver.suggestion import suggestion
from receiver.yamltext import Document, Mark, Path

_KINDS: typing.Mapping[str, str] = {
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_NOUNS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
# what a pattern asks for, in words; whoever reads other models brings their patterns in KeyCodes
FORMS: typing.Mapping[str, str] = {
    r"^[a-z0-9][a-z0-9_.-]*$": "must be small letters, digits, `-`, `_` and `.`, the first of them a letter or digit",
}
_OF_SETTINGS = "C"  # findings with these codes are about the settings, where secrets stand
_SHORTEST_SECRET = 16  # characters: no shorter one is accepted
_BOOLEANS = {"true": "true", "yes": "true", "on": "true", "y": "true"}
_BOOLEANS |= {"false": "false", "no": "false", "off": "false", "n": "false"}


@dataclass(frozen=True, slots=True)
class KeyCodes:
    """The codes for what a model does not accept, what its fields are called (keys or parameters), and what their
    patterns ask for, in words.
    """

    noun: str
    unknown: str
    missing: str
    wrong: str
    forms: typing.Mapping[str, str] = field(default_factory=dict)


class Findings:
    """The findings of one document. `problems` holds errors and warnings in the order they were met."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._line_starts = [0, *accumulate(map(len, document.text.splitlines(keepends=True)))]  # as YAML does

    def error(self, where: Path, code: str, message: str, *, key: bool = False) -> None:
        """The policy cannot be used."""
        self.problems.append(self.document.problem(where, code, message, key=key))

    def warning(self, where: Path, code: str, message: str, *, key: bool = False) -> None:
        """The policy can be used, but probably does not do what was meant."""
        self.problems.append(self.document.problem(where, code, message, key=key, warning=True))

    def error_after(self, where: Path, before: str, code: str, message: str) -> None:
        """The same as `error`, at the character that follows `before` in the text that stands at `where`."""
        line, column = self.place_after(where, before)
        self.problems.append(Problem(self.document.path, line, column, "error", code, message))

    def place_after(self, where: Path, before: str) -> Mark:
        """The line and column of the character that follows `before`, the beginning of the text at `where`. Walks the
        source beside the value, since quotes, folds and indentation are in the one and not in the other; where they no
        longer agree (an escape), that is the place.
        """
        index = _aligned(self.document.text, self._offset(where), before)
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    def is_flow(self, where: Path) -> bool:
        """Does the list at `where` stand in `[...]`?"""
        return self.document.text.startswith("[", self._offset(where))

    def _offset(self, where: Path) -> int:
        line, column = self.document.locate(where)
        return self._line_starts[line - 1] + column - 1

    def misfit(self, where: Path, finding: ErrorDetails, model: type[BaseModel], key_codes: KeyCodes) -> None:
        """What a pydantic model did not accept; `where` is its place in the document."""
        kind = finding["type"]
        name = str(finding["loc"][-1]) if finding["loc"] else ""
        if kind == "extra_forbidden":
            self.error(where, key_codes.unknown, _unknown(key_codes, name, model, finding["loc"]), key=True)
        elif kind == "missing":
            self.error(where, key_codes.missing, f"the {key_codes.noun} {name!r} is missing")
        else:
            of_key = where[-1:] == ("[key]",)  # pydantic's step to a key of a mapping
            place = where[:-1] if of_key else where
            self.error(
                place, key_codes.wrong, f"{_subject(place, key_codes)} {_said(finding, key_codes.forms)}", key=of_key
            )


def may_be_secret(key: str) -> bool:
    """May a key of the settings be a secret, which by a slip stands in the place of a key?"""
    return len(key) >= _SHORTEST_SECRET


def _unknown(key_codes: KeyCodes, name: str, model: type[BaseModel], loc: Sequence[str | int]) -> str:
    key, colon, _ = name.partition(":")
    hidden = _is_hidden(key, key_codes)
    if colon:  # what follows is a value, and may be a secret
        shown = "" if hidden else f" {key + colon!r}"
        return f"unknown {key_codes.noun}{shown}: write a blank after the ':'"
    shown = ", not shown here since it may be a secret" if hidden else f" {name!r}"
    return f"unknown {key_codes.noun}{shown}{suggestion(name, _keys_at(model, loc[:-1]))}"


def _is_hidden(key: str, key_codes: KeyCodes) -> bool:
    return key_codes.unknown.startswith(_OF_SETTINGS) and may_be_secret(key)


def _subject(where: Path, key_codes: KeyCodes) -> str:
    names = [step for step in where if isinstance(step, str)]
    item = "an item of " if where and isinstance(where[-1], int) else ""
    return f"{item}`{names[-1]}`" if names and not _is_hidden(names[-1], key_codes) else "this"


def _said(finding: ErrorDetails, forms: typing.Mapping[str, str]) -> str:
    kind, value = finding["type"], finding.get("input")
    if kind == "literal_error":
        return _one_of(str(finding["ctx"]["expected"]))
    if kind == "string_pattern_mismatch":
        pattern = finding["ctx"]["pattern"]
        return forms.get(pattern) or FORMS.get(pattern) or f"must match {pattern}"
    if kind == "string_type" and isinstance(value, dict):
        return "must be text, but a ': ' in it makes it a mapping: put it in quotes"
    if kind in ("too_short", "string_too_short"):
        return _KINDS[kind]
    if kind in _KINDS:
        return f"{_KINDS[kind]}, not {_NOUNS.get(type(value), 'empty')}{_cure(kind, value)}"
    said = finding["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    said = said.replace("String should have", "must have").replace("should be a valid", "must be a valid")
    return said[:1].lower() + said[1:]


def _cure(kind: str, value: object) -> str:
    """What to do about a value of the wrong kind, where that can be seen."""
    if kind == "string_type" and isinstance(value, int | float):
        return ": put it in quotes"
    if kind in ("list_type", "tuple_type") and isinstance(value, str):
        return ": put it in [ ]"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in _BOOLEANS:
        return f": write {_BOOLEANS[value.lower()]}, without quotes"
    if kind in ("int_type", "float_type") and isinstance(value, str) and _is_number(value):
        return ": remove the quotes"
    return " with decimals" if kind == "int_type" and isinstance(value, float) else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _one_of(expected: str) -> str:
    """`expected` is pydantic's list, such as `'skip', 'fire' or 'review'`, or `True or False`."""
    return "must be " + expected.replace("'", "").replace("True", "true").replace("False", "false")


def _keys_at(model: type[BaseModel], loc: Sequence[str | int]) -> Collection[str]:
    """The keys that the model has at a place."""
    current: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, str) and current is not None and step in current.model_fields:
            current = _model_in(current.model_fields[step].annotation)
    return list(current.model_fields) if current is not None else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model inside an annotation such as `list[Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)


def original(value: JsonValue, loc: Sequence[str | int]) -> Path:
    """The path in the document for a pydantic location, which may go through steps that only the long form has."""
    path: list[str | int] = []
    for position, step in enumerate(loc):
        if isinstance(value, dict) and step in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif position < len(loc) - 1 or not isinstance(value, dict):
            continue
        else:
            break  # a key that is missing: its place is the mapping that lacks it
        path.append(step)
    return tuple(path)


def _aligned(source: str, index: int, text: str) -> int:
    """How far `source`, from `index`, has come when it has given `text`."""
    style = source[index : index + 1]
    if style in ("|", ">"):
        index = _skip_blank(source, source.find("\n", index))
    elif style in ("'", '"'):
        index += 1
    blanks_end = line_end = -1  # of the blanks that were last looked at: no blank is looked at twice
    for character in text:
        if character in " \n":
            if index >= blanks_end:
                blanks_end = _skip_blank(source, index)
                line_end = source.rfind("\n", index, blanks_end)
            # a line end with the indentation after it gives one character, and so does one blank
            index = blanks_end if line_end >= index else min(index + 1, blanks_end)
            continue
        escaped = style == '"' and source[index : index + 1] == "\\"
        if source[index + escaped : index + escaped + 1] != character:
            return index
        index += 2 if escaped or style == character == "'" else 1
    return index


def _skip_blank(source: str, index: int) -> int:
    while index < len(source) and source[index] in " \r\n\t":
        index += 1
    return index
