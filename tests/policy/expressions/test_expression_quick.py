"""Most of what policies say runs as generated code, with nothing left to closures."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import yaml

from receiver.policy.expressions.expression import Names, compile_expression
from tests.support.random_expressions import policy_condition

CONFIG = Path(__file__).parents[3] / "config.yaml"


def shipped() -> list[str]:
    """The conditions and `let` values of the policy that the repository ships."""
    policy: dict[str, Any] = yaml.safe_load(CONFIG.read_text())["policy"]
    conditions = [rule.get("when", []) for rule in policy["rules"]]
    texts = [text for said in conditions for text in ([said] if isinstance(said, str) else said)]
    return [*policy.get("let", {}).values(), *texts]


def share_of_quick(texts: list[str]) -> float:
    """The share that is generated throughout."""
    roots = ("event", "raw", "result", "action", "lists", *yaml.safe_load(CONFIG.read_text())["policy"].get("let", {}))
    quick = [compile_expression(text, Names(dict.fromkeys(roots))).quick for text in texts]
    print(f"{sum(quick)} of {len(quick)} expressions run quick")  # noqa: T201 - shown with pytest -s
    return sum(quick) / len(quick)


def test_the_shipped_policy_runs_as_generated_code() -> None:
    """Nearly all of it."""
    assert share_of_quick(shipped()) > 0.9


def test_most_conditions_of_policies_run_as_generated_code() -> None:
    """Random conditions of the forms that the handbook shows."""
    draw = Random(20)
    assert share_of_quick([policy_condition(draw) for _ in range(500)]) > 0.8
