"""The policy that ships in config.yaml: no findings, and every rule does what its examples say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handlers.registry import SPECS
from receiver.contract import Event, EventDocument
from receiver.policy.compile import compile_policy
from receiver.policy.decide import decide
from receiver.vendors.didit import normalise
from receiver.vendors.tags import KNOWN_TAGS
from receiver.yamltext import read_yaml

CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"
DOCUMENT = read_yaml(CONFIG.read_text(encoding="utf-8"), "config.yaml").below(("policy",))
POLICY = compile_policy([DOCUMENT], SPECS, known_tags=KNOWN_TAGS, inline=True)


def examples() -> list[Any]:
    """Every example with its rule: (rule id, example)."""
    value: Any = DOCUMENT.value
    return [
        pytest.param(rule["id"], example, id=f"{rule['id']}: {example['name']}")
        for rule in value["rules"]
        for example in rule["examples"]
    ]


def event_of(example: dict[str, Any]) -> Event:
    """The example's event over an empty one."""
    empty = normalise("didit", {"webhook_type": "status.updated", "session_id": "s-1", "timestamp": 1}).document
    document: EventDocument = {**empty, **example["event"]}
    return Event(document, {}, 1, "key", action={"name": "x"}, result=example.get("result"))


def test_it_has_no_findings() -> None:
    assert POLICY.warnings == ()


def test_every_rule_has_examples_that_fire() -> None:
    value: Any = DOCUMENT.value
    assert [rule["id"] for rule in value["rules"] if not any(one["fires"] for one in rule["examples"])] == []


@pytest.mark.parametrize(("rule_id", "example"), examples())
def test_a_rule_does_what_its_example_says(rule_id: str, example: dict[str, Any]) -> None:
    decision = decide(event_of(example), POLICY)
    fired = {rule.id for rule in decision.rules if rule.fired}
    assert (rule_id in fired) is example["fires"]
