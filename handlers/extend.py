"""For packages that add an action: see "Write an action of your own" in the README."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, is_typeddict

from pydantic import BaseModel

from receiver.contract import ActionSpec

if TYPE_CHECKING:  # a policy is checked without any HTTP client
    from handlers.tools import Factory

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Action:
    """An action as an entry point of the group `hookwarden.actions` names it: what policies may say of it, and what
    gives the function that carries it out.
    """

    spec: ActionSpec
    make: Factory


def read_action(name: str, offered: object) -> Action:
    """What an entry point names. Raises TypeError for what no policy could call, or nothing could carry out."""
    if not isinstance(offered, Action):
        raise TypeError(f"not a handlers.extend.Action, but {type(offered).__name__}")
    if not isinstance(offered.spec, ActionSpec):
        raise TypeError(f"its `spec` is no receiver.contract.ActionSpec, but {type(offered.spec).__name__}")
    if offered.spec.name != name:
        raise TypeError(f"the entry point is named {name!r}, its action {offered.spec.name!r}")
    if not _NAME.fullmatch(name):
        raise TypeError(f"{name!r} is no name of an action, such as acme.check: small letters, digits, `_` and points")
    _check_spec(offered.spec)
    if not callable(offered.make):
        raise TypeError(f"its `make` is no function (tools) -> function, but {type(offered.make).__name__}")
    return offered


def _check_spec(spec: ActionSpec) -> None:
    params: object = spec.params
    if not isinstance(params, type) or not issubclass(params, BaseModel):
        raise TypeError(f"its `params` are no pydantic model, but {params!r}")
    spec.params.model_json_schema()  # `schema` needs it; it says itself what is wrong
    if spec.result is not None and not is_typeddict(spec.result):
        raise TypeError(f"its `result` is no TypedDict, but {spec.result!r}")


def read_spec(name: str, offered: object) -> ActionSpec:
    """The same, of which only the specification. Raises TypeError."""
    return read_action(name, offered).spec


def read_factory(name: str, offered: object) -> Factory:
    """The same, of which only what makes it. Raises TypeError."""
    return read_action(name, offered).make
