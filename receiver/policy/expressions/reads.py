"""Which paths of its surroundings an expression reads, as steps and as text: what an explanation shows."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from receiver.contract import JsonValue
from receiver.policy.expressions.syntax import Index, Literal, Macro, Name, Node, Select, children
from receiver.policy.expressions.values import UNDECIDED, Value

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Read:
    """One path, such as `event.matches[0].similarity`: its text, its root name, and the steps below that."""

    text: str
    root: str
    steps: tuple[str | int, ...]


def value_below(root: Value, steps: Sequence[str | int]) -> JsonValue:
    """What stands at the end of the steps, given what stands at the root; None if nothing does."""
    current: Any = root
    for step in steps:
        if isinstance(step, str) and isinstance(current, dict):
            current = current.get(step)
        elif isinstance(step, int) and isinstance(current, list) and 0 <= step < len(current):
            current = current[step]
        else:
            return None
    return None if current is UNDECIDED else current


def reads(node: Node) -> tuple[Read, ...]:
    """Every longest path that the tree reads, in the order of the text, once each. What starts at the variable of a
    macro is left out; an index that is worked out ends the path before it.
    """
    found: dict[str, Read] = {}
    _collect(node, frozenset(), found)
    return tuple(found.values())


def as_path(node: Node) -> tuple[Name, tuple[str | int, ...]] | None:
    """The root and the steps of a plain path; None for any other node."""
    steps: list[str | int] = []
    while not isinstance(node, Name):
        match node:
            case Select(_, operand, field):
                steps.append(field)
            case Index(_, operand, Literal(_, str() | int() as index)) if not isinstance(index, bool):
                steps.append(index)
            case _:
                return None
        node = operand
    return node, tuple(reversed(steps))


def _collect(node: Node, bound: frozenset[str], found: dict[str, Read]) -> None:
    path = as_path(node)
    if path is not None:
        root, steps = path
        if root.name not in bound:
            text = path_text(root.name, steps)
            found.setdefault(text, Read(text, root.name, steps))
        return
    if isinstance(node, Macro):
        _collect(node.items, bound, found)
        for inside in (node.where, node.body):
            if inside is not None:
                _collect(inside, bound | {node.variable}, found)
        return
    for child in children(node):
        _collect(child, bound, found)


def path_text(root: str, steps: Sequence[str | int]) -> str:
    """A path as expressions write it: no two paths have one text."""
    return root + "".join(_step_text(step) for step in steps)


def _step_text(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if IDENTIFIER.match(step) else f"[{json.dumps(step)}]"
