"""Conditions with their plain `let` names seen through: `score < floor` as `score < 60` where `floor` is 60."""

from __future__ import annotations

from dataclasses import replace

from receiver.policy.expressions.reads import as_path
from receiver.policy.expressions.substitute import substitute
from receiver.policy.expressions.syntax import Index, Literal, Node, Select
from receiver.policy.formula import Formula

ELSEWHERE = -1  # the offset of what a name stands for: it is in another text


class Inlining:
    """The plain `let` values of one document. Each is looked at once."""

    def __init__(self) -> None:
        self._plain: dict[str, Node] = {}
        self._known: set[str] = set()
        self._inlined: dict[str, Node] = {}  # by text: several checks ask for the same

    def of(self, formula: Formula) -> Node:
        """The tree of a formula in which a constant or a plain path stands for every `let` name that is one."""
        for let in formula.needs:  # each after those it needs itself
            if let.name not in self._known:
                self._known.add(let.name)
                self._learn(let.name, let.formula.expression.node)
        expression = formula.expression
        if expression.roots.isdisjoint(self._plain):
            return expression.node
        if expression.text not in self._inlined:
            self._inlined[expression.text] = substitute(expression.node, self._plain)
        return self._inlined[expression.text]

    def _learn(self, name: str, node: Node) -> None:
        if isinstance(node, Literal) or as_path(node) is not None:
            self._plain[name] = _moved(substitute(node, self._plain))


def _moved(node: Node) -> Node:
    """A constant or a plain path, out of its text."""
    if isinstance(node, Select | Index):
        return replace(node, offset=ELSEWHERE, operand=_moved(node.operand))
    return replace(node, offset=ELSEWHERE)
