"""A decision is the same whether it is explained or not, whatever the policy, the event and the budget (I10)."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.contract import Decision
from receiver.policy.decide import decide
from receiver.policy.rules import Policy
from tests.support.policies import event_of, policy_from

CONDITIONS = [
    "top >= 70.0",
    "heavy",
    "event.liveness.score < 60.0",
    "1 / event.liveness.score > 1",
    "event.country in lists.known",
    "!(event.country == 'ESP')",
    "raw.flag",
    "raw.many.all(a, raw.many.exists(b, a == b))",
    "size(twice) > 2",
    "false",
]


def random_document(random: Random, number: int) -> str:
    """One document of a few rules, each with a few conditions and a call. All have the same name, and `let` names."""
    top = "max(event.matches.map(m, m.similarity))"
    return json.dumps(
        {
            "name": "same",
            "lists": {"known": ["ESP", "PRT"]},
            "let": {
                "top": top if number == 0 else f"{top} - 50.0",
                "heavy": "raw.many.all(a, a >= 0)",
                "twice": "raw.many + raw.many",
            },
            "status_order": ["Declined", "Approved"],
            "rules": [random_rule(random, f"r{number}.{rule}") for rule in range(random.randint(1, 4))],
        }
    )


def random_rule(random: Random, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "mode": random.choice(["enforce", "enforce", "shadow"]),
        "when": random.sample(CONDITIONS, random.randint(0, 4)),
        "on_missing": random.choice(["skip", "fire", "review"]),
        "stop": random.random() < 0.3,
        "then": [
            {"didit.update_status": {"status": random.choice(["Declined", "Approved"])}},
            {"note": {"x": f"{{{{ {random.choice(CONDITIONS[:3])} }}}}"}},
        ],
    }


def random_policy(random: Random) -> Policy:
    return policy_from(*(random_document(random, number) for number in range(random.choice([1, 1, 2]))))


def random_parts(random: Random) -> dict[str, Any]:
    return {
        "liveness": random.choice([None, {"score": None}, {"score": 0}, {"score": 59.5}, {"score": 90}]),
        "country": random.choice([None, "ESP", "EST"]),
        "matches": [{"similarity": random.choice([None, 10, 80.5])} for _ in range(random.randrange(3))],
        "stale": random.random() < 0.1,
        "raw": random.choice([{}, {"many": list(range(random.randrange(30))), "flag": random.choice([True, "x"])}]),
    }


def what_counts(decision: Decision) -> tuple[object, ...]:
    """All of it but the explanation."""
    rules = [(rule.id, rule.fired, rule.mode, rule.line) for rule in decision.rules]
    return decision.outcome, decision.policy, decision.status, decision.reason, decision.actions, rules


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False))
def test_an_explanation_changes_nothing(random: Random) -> None:
    policy = random_policy(random)
    for _ in range(4):
        event = event_of("LIVENESS_FACE_ATTACK", **random_parts(random))
        budget = random.choice([3, 10, 30, 60, 100, 200, 400, 1_000, 100_000])
        explained = decide(event, policy, budget=budget)
        bare = decide(event, policy, budget=budget, explain=False)
        assert what_counts(bare) == what_counts(explained)
        assert not any(rule.conditions for rule in bare.rules)
        assert all(explained.values[name] == value for name, value in bare.values.items())


def test_what_only_an_explanation_evaluates_is_not_charged_to_the_decision() -> None:
    """The second rule decides on `heavy`, which the first one's explanation worked out before: it pays for it then."""
    text = """
        let: {heavy: "raw.many.all(a, a >= 0)"}
        rules:
          - {id: first, when: ["event.status == 'Approved'", heavy], then: [note: {}]}
          - {id: second, when: [heavy], then: [note: {}]}
    """
    policy = policy_from(text)
    event = event_of(raw={"many": list(range(100))})
    outcomes = []
    for budget in range(100, 700, 7):
        both = [decide(event, policy, budget=budget, explain=explain) for explain in (True, False)]
        assert what_counts(both[0]) == what_counts(both[1]), budget
        outcomes.append(both[0].outcome)
    assert {"decided", "undecided"} == set(outcomes)
