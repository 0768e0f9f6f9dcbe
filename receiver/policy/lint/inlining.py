"""Conditions with their plain `let` names seen through: `score < floor` as `score < 60` where `floor` is 60."""

from __future__ import annotations

from dataclasses import replace

from receiver.policy.expressions.reads import as_path
from receiver.policy.expressions.substitute import substitute
from receiver.policy.expressions.syntax import Index, Literal, Node, Select
from receiver.policy.formula import Formula

ELSEWHERE = -1  # the offset of what a name stands for: it is in another text


def inlined(formula: Formula) -> Node:
    """The tree of a formula in which a constant or a plain path stands for every `let` name that is one."""
    plain: dict[str, Node] = {}
    for let in formula.needs:  # each after those it needs itself
        node = let.formula.expression.node
        if isinstance(node, Literal) or as_path(node) is not None:
            plain[let.name] = _moved(substitute(node, plain))
    return substitute(formula.expression.node, plain) if plain else formula.expression.node


def _moved(node: Node) -> Node:
    """A constant or a plain path, out of its text."""
    if isinstance(node, Select | Index):
        return replace(node, offset=ELSEWHERE, operand=_moved(node.operand))
    return replace(node, offset=ELSEWHERE)
