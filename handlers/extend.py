"""For packages that add an action: see "Write an action of your own" in the README."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from receiver.contract import ActionSpec

if TYPE_CHECKING:  # a policy is checked without any HTTP client
    from handlers.tools import Factory


@dataclass(frozen=True, slots=True)
class Action:
    """An action as an entry point of the group `hookwarden.actions` names it: what policies may say of it, and what
    gives the function that carries it out.
    """

    spec: ActionSpec
    make: Factory


def read_action(name: str, offered: object) -> Action:
    """What an entry point names. Raises TypeError."""
    if not isinstance(offered, Action):
        raise TypeError(f"not a handlers.extend.Action, but {type(offered).__name__}")
    if offered.spec.name != name:
        raise TypeError(f"the entry point is named {name!r}, its action {offered.spec.name!r}")
    return offered


def read_spec(name: str, offered: object) -> ActionSpec:
    """The same, of which only the specification. Raises TypeError."""
    return read_action(name, offered).spec


def read_factory(name: str, offered: object) -> Factory:
    """The same, of which only what makes it. Raises TypeError."""
    return read_action(name, offered).make
