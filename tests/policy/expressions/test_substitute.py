"""Expressions in the place of names: the value is the same, and no macro takes a name that was not its own."""

from __future__ import annotations

from typing import Any

import pytest

from receiver.policy.expressions.expression import Budget, Expression
from receiver.policy.expressions.parser import parse
from receiver.policy.expressions.substitute import MOST_NODES, substitute
from receiver.policy.expressions.syntax import Name, walk

LETS = {"top": "max(event.m.map(x, x.s))", "known": "event.c in lists.l", "pair": "[event.a, event.b]"}
EVENT: dict[str, Any] = {"m": [{"s": 5}, {"s": 9}], "c": "ESP", "a": 1, "b": "two"}


def value(node: Any, **more: Any) -> Any:
    scope = {"event": EVENT, "lists": {"l": ["ESP"]}, **more}
    return Expression("", node, None).evaluate(scope, Budget(10_000))


@pytest.mark.parametrize(
    "text",
    [
        "top >= 9 && !known",
        "known ? top + 1 : -top",
        "pair[0] == 1 && pair.exists(p, p == top || known)",
        "has(pair[1]) && {'k': top}.k == 9",
        "event.m.map(x, x.s < top, x.s) == [5]",
        "event.m.filter(top, top.s > 5).size()",
        "size(pair) + (event.none ?? top)",
    ],
)
def test_the_value_is_that_of_the_names(text: str) -> None:
    trees = {name: parse(each) for name, each in LETS.items()}
    node = substitute(parse(text), trees)
    assert not {part.name for part in walk(node) if isinstance(part, Name)} & {"known", "pair"}
    values = {name: value(tree) for name, tree in trees.items()}
    assert value(node, **values) == value(parse(text), **values)


def test_a_name_stays_where_a_macro_has_taken_what_its_tree_reads() -> None:
    node = substitute(parse("event.m.exists(event, event.s == top)"), {"top": parse("max(event.m.map(x, x.s))")})
    assert "top" in {part.name for part in walk(node) if isinstance(part, Name)}
    assert value(node, top=9) is True


def test_what_would_grow_too_large_stays_as_it_is() -> None:
    """Names that stand for each other twice double at every step."""
    trees = {"v0": parse("[event.a, event.a]")}
    for step in range(1, 40):
        trees[f"v{step}"] = substitute(parse(f"[v{step - 1}, v{step - 1}]"), trees)
    assert max(sum(1 for _ in walk(tree)) for tree in trees.values()) <= MOST_NODES
