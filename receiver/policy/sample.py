"""Events that tests write down in part: checked key by key, then laid over an event in which nothing was sent.

A section (`liveness: {score: 41}`) is completed with nulls, as the normalisers do. `tags` and `warnings` are two views
of one thing: whichever is missing is made from the other.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from receiver.contract import RESULT_PREFIX, SEVERITIES, Event, EventDocument, JsonObject, Severity

SESSION = "example-session"
_ALWAYS_THERE = frozenset({"tag"})  # of a warning
_KEPT = {bool, int, str}


class _Partial(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="after")
    def _views_agree(self) -> _Partial:
        given = self.model_dump(exclude_unset=True)
        if "tags" in given and "warnings" in given and list(given["tags"]) != _tags(given["warnings"]):
            raise PydanticCustomError("views_differ", "gives `tags` and `warnings` that differ: one of them is enough")
        return self


@cache
def _hints(document: type) -> Mapping[str, Any]:
    """The fields of a section with their types; working them out is slow."""
    return get_type_hints(document)


def _partial_type(hint: Any) -> Any:
    """The type of a value that may be written down in part; what is open in the contract stays open."""
    if get_origin(hint) in (Union, types.UnionType):
        known = [argument for argument in get_args(hint) if argument is not type(None)]
        return _partial_type(known[0]) | None if len(known) == 1 else Any
    if is_typeddict(hint):
        return _partial_model(hint)
    if get_origin(hint) is list:
        return list[_partial_type(get_args(hint)[0])]  # type: ignore[misc]  # a type made at run time
    if hint is float:
        return Annotated[Any, BeforeValidator(_number)]
    return hint if hint in _KEPT else Any


def _number(value: object) -> object:
    """A number stays what it is, with or without decimals."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticKnownError("float_type")
    return value


def _partial_model(document: type) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (_partial_type(hint), ... if name in _ALWAYS_THERE else None) for name, hint in _hints(document).items()
    }
    if "severity" in fields:
        fields["severity"] = (Severity | None, None)
    return create_model(f"Partial{document.__name__}", __base__=_Partial, **fields)


PartialEvent = _partial_model(EventDocument)
"""Every key of an event (`contract.EventDocument`), all optional, no others."""

PartialField = Annotated[PartialEvent, Field(default_factory=PartialEvent)]  # type: ignore[valid-type]  # made at run time


def sample_event(
    partial: BaseModel,
    *,
    kind: str = "status.updated",
    raw: JsonObject | None = None,
    action: JsonObject | None = None,
    result: JsonObject | None = None,
) -> Event:
    """The event that a partial one stands for. `kind` is its type where it names none. `action` and `result` are what
    rules on action results see; an action is completed with invented values.
    """
    given = partial.model_dump(exclude_unset=True)
    document: dict[str, Any] = {**_EMPTY, "type": kind, **_completed(given, EventDocument)}
    if "warnings" not in given:
        blank = {"feature": None, "severity": None, "node_id": None, "data": None}
        document["warnings"] = [{"tag": tag, **blank} for tag in document["tags"]]
    if "tags" not in given:
        document["tags"] = _tags(document["warnings"])
    if "severity_max" not in given:
        sent = {warning["severity"] for warning in document["warnings"]}
        document["severity_max"] = next((severity for severity in reversed(SEVERITIES) if severity in sent), None)
    if document["type"].startswith(RESULT_PREFIX):
        action = {**_action(document["type"].removeprefix(RESULT_PREFIX)), **(action or {})}
    return Event(cast("EventDocument", document), raw or {}, None, "example", action, result)


def _action(name: str) -> JsonObject:
    return {"action_id": "act_example", "name": name, "rule": "example", "params": {}, "attempt": 1}


def _tags(warnings: Any) -> list[str]:
    return list(dict.fromkeys(warning["tag"] for warning in warnings))


def _completed(given: Mapping[str, Any], document: type) -> dict[str, Any]:
    """The sections that are given, with null (no hits: an empty list) for what they leave out."""
    hints = _hints(document)
    return {name: _completed_value(value, hints[name]) for name, value in given.items()}


def _completed_value(value: Any, hint: Any) -> Any:
    for part in (hint, *get_args(hint)):
        if is_typeddict(part) and isinstance(value, dict):
            return {**_nothing(part), **_completed(value, part)}
        if is_typeddict(part) and isinstance(value, list):
            return [{**_nothing(part), **_completed(item, part)} for item in value]
    return value


def _nothing(document: type) -> dict[str, Any]:
    return {name: [] if get_origin(hint) is list else None for name, hint in _hints(document).items()}


_EMPTY: dict[str, Any] = {
    **_nothing(EventDocument),
    "source": "didit",
    "vendor": "didit",
    "session_id": SESSION,
    "stale": False,
    "echo": False,
}
