"""The plain way of evaluating an expression, by closures alone: what the generated function is held to."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.contract import JsonValue
from receiver.policy.expressions.closures import Closures, cost
from receiver.policy.expressions.expression import Budget, Expression, Undecided, frame
from receiver.policy.expressions.values import finite


def evaluate_plain(expression: Expression, scope: Mapping[str, JsonValue], budget: Budget) -> JsonValue | Undecided:
    """What `expression.evaluate` must give, at the same cost."""
    budget.spend(cost(expression.node))
    value = Closures(expression.layout).whole(expression.node)(frame(expression.layout, scope, budget))
    return finite(value, budget) if expression._calculates else value
