"""The `map:` of a generic source, compiled: which expression over `raw` gives which field of the event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from receiver.contract import JsonObject, JsonValue
from receiver.policy.expressions.expression import (
    UNDECIDED,
    Budget,
    Expression,
    ExpressionError,
    ExpressionFault,
    Names,
    compile_expression,
)
from receiver.vendors.generic import Reading

STEPS: Final = 100_000  # of all expressions of one payload together
_NAMES: Final = Names({"raw": None})


def mapping_faults(texts: Mapping[str, str]) -> Iterator[tuple[str, ExpressionError]]:
    """The fields whose expression cannot be run, each with why."""
    for name, text in texts.items():
        try:
            compile_expression(text, _NAMES)
        except ExpressionError as error:
            yield name, error


def reading(texts: Mapping[str, str]) -> Reading:
    """What reads the fields out of a payload. An expression that cannot be run gives nothing (and was refused at the
    start).
    """
    wrong = {name for name, _ in mapping_faults(texts)}
    compiled = {name: compile_expression(text, _NAMES) for name, text in texts.items() if name not in wrong}

    def read(payload: JsonObject) -> Mapping[str, JsonValue]:
        budget = Budget(STEPS)
        return {name: _value(expression, payload, budget) for name, expression in compiled.items()}

    return read


def _value(expression: Expression, payload: JsonObject, budget: Budget) -> JsonValue:
    """The value; None where it hangs on what is absent, or fails."""
    try:
        value = expression.evaluate({"raw": payload}, budget)
    except ExpressionFault:
        return None
    return None if value is UNDECIDED else value
