"""pydantic's findings as problems with places in a YAML file, and with a suggestion for a key that is not known."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from receiver.errors import Problem
from receiver.yamltext import Document
from receiver.yamltext import Path as Place


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes that one file's findings carry."""

    unknown_key: str
    wrong_value: str
    missing_key: str


def suggestion(word: str, known: Collection[str]) -> str:
    """` did you mean 'x'?` after a semicolon, or what is known, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known else ""


def pydantic_problems(
    document: Document, error: ValidationError, model: type[BaseModel], codes: Codes
) -> Iterator[Problem]:
    """Every finding of one validation. Messages quote no value, since a value may be a secret."""
    for finding in error.errors(include_url=False, include_input=False):
        place = tuple(step for step in finding["loc"] if not (isinstance(step, str) and step.startswith("function-")))
        kind = finding["type"]
        if kind == "extra_forbidden":
            key = str(place[-1])
            message = f"unknown key {key!r}{suggestion(key, _keys_at(model, place[:-1]))}"
            yield document.problem(place, codes.unknown_key, message, key=True)
        elif kind == "missing":
            yield document.problem(place[:-1], codes.missing_key, f"the key {str(place[-1])!r} is missing")
        else:
            said = finding["msg"].removeprefix("Value error, ")
            yield document.problem(place, codes.wrong_value, f"{_dotted(place)}: {said[:1].lower()}{said[1:]}")


def _dotted(place: Place) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the file"


def _keys_at(model: type[BaseModel], place: Place) -> Collection[str]:
    """The keys that the model knows at a place."""
    current: type[BaseModel] | None = model
    for step in place:
        # a name in a mapping or an index in a list of models is no field: the model stays
        if current is not None and step in current.model_fields:
            current = _inner(current.model_fields[str(step)].annotation)
    return list(current.model_fields) if current is not None else []


def _inner(annotation: object) -> type[BaseModel] | None:
    """The model inside an annotation such as `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        found = _inner(argument)
        if found is not None:
            return found
    return None
