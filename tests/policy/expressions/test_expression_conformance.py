"""The CEL specification's own cases: whatever we give is CEL's value, and the rest we refuse.

The cases are data kept beside the checkout, as plain JSON; without them these tests are skipped.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from receiver.policy.expressions.expression import (
    UNDECIDED,
    Budget,
    ExpressionError,
    ExpressionFault,
    Names,
    compile_expression,
)
from tests.support.plain import evaluate_plain

CASES = Path(__file__).parents[4] / "shared" / "cel" / "conformance.json"
UNTRANSLATED = object()  # bytes, unsigned integers and maps with other keys than strings are no JSON values
LEAST_CORE_VALUES = 438  # so many core cases that give a value gave the right one; fewer would be a loss

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the CEL conformance cases are not beside the checkout")


def translated(value: Any) -> Any:
    """The JSON value of a case's encoding."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in ("int", "double"):
        return int(content) if kind == "int" else float(content)
    if kind == "list":
        items = [translated(item) for item in content]
        return UNTRANSLATED if UNTRANSLATED in items else items
    if kind == "map" and all(isinstance(key, str) for key, _ in content):
        entries = {key: translated(item) for key, item in content}
        return UNTRANSLATED if UNTRANSLATED in entries.values() else entries
    return UNTRANSLATED


def same(left: Any, right: Any) -> bool:
    """The same JSON value, types included; NaN is itself and -0.0 is not 0.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or str(left) == str(right)
    return bool(left == right)


def outcome(case: dict[str, Any]) -> tuple[str, str]:
    """How a case came out: right, refused (with what was said), or wrong."""
    scope = {name: translated(value) for name, value in case["bindings"].items()}
    if UNTRANSLATED in scope.values():
        return "refused", "bindings that are no JSON values"
    try:
        expression = compile_expression(case["expr"], Names(dict.fromkeys(scope)))
        value = expression.evaluate(scope, Budget(1_000_000))
        assert same(value, evaluate_plain(expression, scope, Budget(1_000_000)))
    except ExpressionError as error:
        return "refused", re.sub(r"'[^']*'", "'...'", error.message)
    except ExpressionFault as fault:
        return ("right", "error") if "error" in case else ("refused", fault.message)
    if "error" in case:
        return ("right", "error") if value is UNDECIDED else ("wrong", f"{value!r} instead of an error")
    if value is UNDECIDED:
        return "refused", "undecided"
    return ("right", "value") if same(value, translated(case["value"])) else ("wrong", f"{value!r}")


def test_no_case_of_the_specification_gives_a_wrong_value() -> None:
    """Every case gives CEL's value or is refused; the core of the language is not refused."""
    document = json.loads(CASES.read_text())
    outcomes = [(case, *outcome(case)) for case in document["tests"]]
    wrong = [(case["file"], case["name"], case["expr"], said) for case, how, said in outcomes if how == "wrong"]
    assert wrong == []

    right = [case for case, how, said in outcomes if (how, said) == ("right", "value")]
    refusals = Counter(said for _, how, said in outcomes if how == "refused")
    print(f"{len(right)} values right, {sum(refusals.values())} refused:")  # noqa: T201 - shown with pytest -s
    for said, count in refusals.most_common():
        print(f"{count:6} {said}")  # noqa: T201 - likewise
    core = [case for case in right if case["file"] in document["core_files"]]
    assert len(core) >= LEAST_CORE_VALUES
