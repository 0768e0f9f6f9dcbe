"""`{{ expression }}` inside action parameters, at any depth, compiled once and rendered per event.

A parameter that is one `{{ }}` whole keeps its type. Inside text, nothing (null, undecided) renders as nothing, text as
itself, everything else as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from receiver.contract import JsonValue
from receiver.policy import codes
from receiver.policy.formula import Formula, Scope
from receiver.yamltext import Path

Evaluate: TypeAlias = Callable[[Formula], JsonValue]  # undecided comes as None


class TemplateError(Exception):
    """A template that cannot be read: at character `offset` of its text."""

    def __init__(self, offset: int, message: str) -> None:
        self.offset = offset
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Hole:
    """The expression between `{{` and `}}`; `offset` is where it starts in the text."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Filled:
    """Text with holes: the pieces in order."""

    pieces: tuple[str | Formula, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A part without any template."""

    value: JsonValue


Template: TypeAlias = "Constant | Formula | Filled | list[Template] | dict[str, Template]"


def holes(text: str) -> Iterator[str | Hole]:
    """The literal pieces and the holes of a text, in order. Raises TemplateError."""
    start = 0
    while (opening := text.find("{{", start)) >= 0:
        if opening > start:
            yield text[start:opening]
        closing = _closing(text, opening)
        inside = text[opening + 2 : closing]
        if not inside.strip():
            raise TemplateError(opening, "nothing stands between `{{` and `}}`")
        yield Hole(inside, opening + 2)
        start = closing + 2
    if start < len(text):
        yield text[start:]


def _closing(text: str, opening: int) -> int:
    """Where the `}}` of a `{{` stands, past strings and braces of its expression."""
    index, depth = opening + 2, 0
    while index < len(text):
        character = text[index]
        if character in "'\"":
            index = _string_end(text, index)
        elif character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == "}" and text[index + 1 : index + 2] == "}":
            return index
        index += 1
    raise TemplateError(opening, "`{{` without its `}}`")


def _string_end(text: str, index: int) -> int:
    quote = text[index]
    index += 1
    while index < len(text) and text[index] != quote:
        index += 2 if text[index] == "\\" else 1
    return index


def has_template(value: JsonValue) -> bool:
    """Does any text in the value hold a `{{`?"""
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, dict):
        return any(map(has_template, value.values()))
    return isinstance(value, list) and any(map(has_template, value))


def compile_template(value: JsonValue, where: Path, scope: Scope) -> Template:
    """Compile every template in a value that stands at `where`; what is wrong goes to the scope's findings."""
    if not has_template(value):
        return Constant(value)
    if isinstance(value, dict):
        return {key: compile_template(inner, (*where, key), scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [compile_template(inner, (*where, index), scope) for index, inner in enumerate(value)]
    text = str(value)
    try:
        return _filled(text, where, scope)
    except TemplateError as error:
        scope.findings.error_after(where, text[: error.offset], codes.BAD_TEMPLATE, str(error))
        return Constant(value)


def _filled(text: str, where: Path, scope: Scope) -> Template:
    compiled = [
        piece if isinstance(piece, str) else scope.formula(where, piece.text, text[: piece.offset])
        for piece in holes(text)
    ]
    pieces = tuple(piece for piece in compiled if piece is not None)
    if len(pieces) < len(compiled):  # something is wrong in it, which is reported
        return Constant(text)
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], Formula) else Filled(pieces)


def render(template: Template, evaluate: Evaluate) -> JsonValue:
    """The value of a template. Raises what `evaluate` raises."""
    if isinstance(template, Constant):
        return template.value
    if isinstance(template, Formula):
        return evaluate(template)
    if isinstance(template, dict):
        return {key: render(inner, evaluate) for key, inner in template.items()}
    if isinstance(template, list):
        return [render(inner, evaluate) for inner in template]
    return "".join(piece if isinstance(piece, str) else _text(evaluate(piece)) for piece in template.pieces)


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
