"""A policy tried on past events: totals, groups, calls, examples; and what rules in shadow came to."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from receiver.contract import Event
from receiver.policy.decide import decide
from receiver.policy.differences import Difference
from receiver.policy.explain import decision_document
from receiver.policy.recall import PastEvent, Recalled
from receiver.policy.rules import Policy
from receiver.policy.shadow import Shadowed, shadow_report
from receiver.policy.simulate import reads_raw, simulate
from tests.support.policies import event_of, policy_from

OLD = """\
name: old
rules:
- {id: low, when: event.liveness.score < 60, then: [review: {queue: q, reason: low}]}
- {id: attack, tags: [LIVENESS_FACE_ATTACK], then: [didit.update_status: {status: Declined}]}
"""
NEW = OLD.replace("name: old", "name: new").replace("< 60", "< 70")


def past(events: Iterator[Event] | list[Event], policy: Policy | None) -> Iterator[PastEvent]:
    """The events as a store would hold them, with their decisions under a policy."""
    for number, event in enumerate(events):
        decision = None
        if policy is not None:
            made = decide(event, policy)
            decision = Recalled.of(decision_document(made), made.actions)
        yield PastEvent(number, f"evt_{number}", 1000 + number, event, decision)


def scores(*values: float | None) -> list[Event]:
    """Events with these liveness scores."""
    return [event_of(liveness={"score": value}) for value in values]


@pytest.mark.parametrize("against", ["stored decisions", "a policy"])
def test_events_are_held_against_what_was_decided_or_an_old_policy(against: str) -> None:
    old, new = policy_from(OLD), policy_from(NEW)
    events = [*scores(50, 65, 65.5, 80, None), event_of("LIVENESS_FACE_ATTACK", liveness={"score": 10})]
    if against == "stored decisions":
        result = simulate(past(events, old), new)
    else:
        result = simulate(past(events, None), new, old)
    document: Any = result.document()
    assert document["events"] == {
        "read": 6,
        "unreadable": 0,
        "decided": 6,
        "changed": 2,
        "changed_with_effect": 2,
    }
    assert document["rules"] == [{"rule": "low", "old": "not fired", "new": "fired", "events": 2}]
    assert document["actions"] == [{"action": "review", "change": "added", "calls": 2}]
    assert document["calls"] == [
        {
            "action": "didit.update_status",
            "old": 1,
            "new": 1,
            "old_awaiting_approval": 0,
            "new_awaiting_approval": 0,
        },
        {"action": "review", "old": 2, "new": 4, "old_awaiting_approval": 0, "new_awaiting_approval": 0},
    ]
    assert [example["event_id"] for example in document["examples"]] == ["evt_1", "evt_2"]
    decided_by = document["examples"][0]["rules"][0]["decided_by"]
    assert (decided_by["old"]["value"], decided_by["new"]["value"]) == (False, True)
    assert decided_by["old"]["inputs"] == {"event.liveness.score": 65}
    assert document["policy"]["name"] == "new"
    assert document["against"] == ("stored decisions" if against == "stored decisions" else document["against"])


def test_the_same_policy_changes_nothing() -> None:
    policy = policy_from(OLD)
    result = simulate(past(scores(1, 99, None), policy), policy)
    document: Any = result.document()
    assert (result.changed, document["examples"], document["rules"]) == (0, [], [])


def test_changes_of_status_and_outcome_are_groups() -> None:
    new = OLD.replace("Declined", "In Review").replace("event.liveness.score < 60", "raw.x * 2 > 1")
    events = [event_of("LIVENESS_FACE_ATTACK", raw={"x": x}) for x in (None, None, "text")]
    document: Any = simulate(past(events, policy_from(OLD)), policy_from(new)).document()
    assert document["statuses"] == [
        {"old": "Declined", "new": "In Review", "events": 2},
        {"old": "Declined", "new": None, "events": 1},
    ]
    assert document["outcomes"] == [{"old": "decided", "new": "undecided", "events": 1}]
    reasons = [example["reason"]["new"] for example in document["examples"]]
    assert [reason for reason in reasons if reason is not None and "raw.x * 2 > 1" in reason] != []


def test_undecided_is_a_state_of_its_own_and_approval_a_column() -> None:
    old = "rules: [{id: a, when: event.aml.score > 5, on_missing: fire, then: [note: {x: 1}]}]"
    new = "rules: [{id: a, when: event.aml.score > 5, then: [{note: {x: 1}, needs_approval: true}]}]"
    events = [event_of(), event_of(aml={"score": 9})]
    document: Any = simulate(past(events, policy_from(old)), policy_from(new)).document()
    assert document["rules"] == [{"rule": "a", "old": "fired", "new": "undecided", "events": 1}]
    calls = {"action": "note", "old": 2, "new": 0, "old_awaiting_approval": 0, "new_awaiting_approval": 1}
    assert document["calls"] == [calls]


def test_stale_and_echo_are_taken_as_they_are_stored() -> None:
    events = [event_of(liveness={"score": 65}, stale=True), event_of(liveness={"score": 65}, echo=True)]
    document: Any = simulate(past(events, policy_from(OLD)), policy_from(NEW)).document()
    assert document["events"]["changed"] == 1
    assert document["examples"][0]["actions"][0]["new"]["params"]["queue"] == "stale"


def test_what_cannot_be_read_is_counted() -> None:
    policy = policy_from(OLD)
    whole = list(past(scores(1, 2), policy))
    erased = [
        whole[0]._replace(event=None, decision=None),
        whole[0]._replace(event=None),
        whole[0]._replace(decision=None),
    ]
    result = simulate([*whole, *erased], policy)
    assert (result.read, result.unreadable, result.decided) == (5, 3, 2)
    assert simulate(erased, policy, policy).unreadable == 2


def test_each_difference_is_told_as_it_comes_up() -> None:
    told: list[Difference] = []
    result = simulate(past(scores(65, 99, 66), policy_from(OLD)), policy_from(NEW), None, told.append)
    assert [difference.event_id for difference in told] == ["evt_0", "evt_2"]
    assert result.changed == 2


def test_the_clearest_examples_come_first_and_are_ten() -> None:
    new = NEW.replace("Declined", "Approved")
    events = [*scores(*[65] * 50), event_of("LIVENESS_FACE_ATTACK", liveness={"score": 99})]
    document: Any = simulate(past(events, policy_from(OLD)), policy_from(new)).document()
    assert len(document["examples"]) == 10
    assert document["examples"][0]["status"] == {"old": "Declined", "new": "Approved"}
    assert {example["event_id"] for example in document["examples"][1:]} == {f"evt_{n}" for n in range(9)}


def test_memory_does_not_grow_with_the_number_of_events() -> None:
    old, new = policy_from(OLD), policy_from(NEW)

    def peak(events: int) -> int:
        tracemalloc.start()
        try:
            simulate(past((event_of(liveness={"score": 60 + n % 20}) for n in range(events)), old), new)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)  # what is made once
    assert peak(3000) < peak(300) + 300_000  # bytes; each event kept would cost some thousands


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        (OLD, False),
        ("rules: [{id: a, when: raw.x == 1}]", True),
        ("let: {x: raw.y}\nrules: [{id: a, when: x == 1}]", True),
        ("let: {x: raw.y}\nrules: [{id: a}]", False),
        ("rules: [{id: a, then: [note: {x: '{{ raw.y }}'}]}]", True),
        ("rules: [{id: a, then: [note: {x: {y: ['a {{ raw.y }}']}}]}]", True),
        ("rules: [{id: a, then: [note: {x: {y: ['raw']}}]}]", False),
    ],
)
def test_whether_a_policy_reads_the_payload_is_known(text: str, reads: bool) -> None:
    assert reads_raw(policy_from(text)) is reads


SHADOWS = """\
rules:
- {id: try, mode: shadow, when: event.liveness.score < 60, then: [didit.update_status: {status: Declined}]}
- {id: real, tags: [DUPLICATED_FACE], then: [didit.update_status: {status: Approved}]}
"""


def test_what_rules_in_shadow_would_have_done_is_told() -> None:
    told: list[Shadowed] = []
    both = event_of("DUPLICATED_FACE", liveness={"score": 1})
    events = [*scores(50, 99, None), both]
    report = shadow_report(past(events, policy_from(SHADOWS)), ["didit.update_status"], told.append)
    document: Any = report.document()
    assert document["rules"] == [
        {
            "rule": "try",
            "looked_at": 4,
            "fired": 2,
            "undecided": 1,
            "fired_alone": 1,
            "calls": {"didit.update_status": 2},
            "statuses": [
                {"old": None, "new": "Declined", "events": 1},
                {"old": "Approved", "new": "Declined", "events": 1},
            ],
        }
    ]
    assert [(each.event_id, each.rule.fired, each.alone) for each in told] == [
        ("evt_0", True, True),
        ("evt_2", None, True),
        ("evt_3", True, False),
    ]
    assert [example["event_id"] for example in document["examples"]] == ["evt_0", "evt_3", "evt_2"]
    assert document["examples"][0]["conditions"][0]["inputs"] == {"event.liveness.score": 50}
    assert document["examples"][2]["state"] == "undecided"


def test_without_rules_in_shadow_there_is_nothing_to_tell() -> None:
    erased = PastEvent(9, "evt_9", 1, None, None)
    document: Any = shadow_report([*past(scores(1), policy_from(OLD)), erased]).document()
    assert document == {"events": {"read": 2, "unreadable": 1}, "rules": [], "examples": []}
