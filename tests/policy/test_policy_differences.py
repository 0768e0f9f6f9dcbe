"""Two decisions of one event held against each other: what counts as a difference, and what decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from receiver.contract import Decision, PlannedAction, PolicyRef
from receiver.policy.decide import decide
from receiver.policy.differences import differ, difference, difference_document
from receiver.policy.explain import decision_document
from receiver.policy.gallery import EXAMPLES, KINDS, Gallery, Tally
from receiver.policy.recall import Recalled
from tests.support.policies import event_of, policy_from

EVENT = event_of("DUPLICATED_FACE", liveness={"score": 50}, country="EST", raw={"x": "text"})
PLAIN = "rules:\n- {id: a, when: event.liveness.score < 60, then: [note: {x: 1}]}\n"


def decided(text: str, **parts: Any) -> Decision:
    """The decision of a policy on the event."""
    event = replace(EVENT, document={**EVENT.document, **parts})  # type: ignore[typeddict-item]  # sections by name
    return decide(event, policy_from(text))


def compared(old: str, new: str, **parts: Any) -> dict[str, Any]:
    """What differs, in short; empty if nothing does."""
    before, after = decided(old, **parts), decided(new, **parts)
    found = difference("evt_1", 5, before, after)
    something = bool(found.rules or found.actions or found.status_changes or before.outcome != after.outcome)
    assert differ(before, after) is something
    if not something:
        return {}
    return {
        "rules": {change.rule: f"{change.was} > {change.becomes}" for change in found.rules},
        "actions": [(change.kind, change.name) for change in found.actions],
        "effect": found.has_effect,
    }


@pytest.mark.parametrize(
    "new",
    [
        PLAIN,
        PLAIN.replace("60", "70"),
        "# a comment moves lines\nname: another\n" + PLAIN,
        PLAIN + "- {id: looked-at-in-vain, when: event.liveness.score > 99, then: [note: {x: 2}]}\n",
        PLAIN + "- {id: another-tag, tags: [LIVENESS_FACE_ATTACK], then: [note: {x: 2}]}\n",
    ],
)
def test_what_leads_to_the_same_is_no_difference(new: str) -> None:
    assert compared(PLAIN, new) == {}


@pytest.mark.parametrize(
    ("new", "rules", "actions", "effect"),
    [
        (PLAIN.replace("60", "40"), {"a": "fired > not fired"}, [("removed", "note")], True),
        (PLAIN.replace("liveness.score", "aml.score"), {"a": "fired > undecided"}, [("removed", "note")], True),
        (PLAIN.replace("x: 1", "x: 2"), {}, [("changed", "note")], True),
        (PLAIN.replace("note: {x: 1}", "{note: {x: 1}, needs_approval: true}"), {}, [("changed", "note")], True),
        (PLAIN.replace("id: a,", "id: a, mode: shadow,"), {}, [("removed", "note")], True),
        (PLAIN + "- {id: b, then: [note: {x: 1}]}\n", {"b": "not fired > fired"}, [("added", "note")], True),
        (PLAIN + "- {id: b, mode: shadow, then: [note: {x: 1}]}\n", {"b": "not fired > fired"}, [], False),
        (PLAIN.replace("id: a", "id: b"), {"a": "fired > not fired", "b": "not fired > fired"}, [], False),
        ("rules: []", {"a": "fired > not fired"}, [("removed", "note")], True),
    ],
)
def test_what_leads_to_something_else_is_one(
    new: str, rules: dict[str, str], actions: list[tuple[str, str]], effect: bool
) -> None:
    assert compared(PLAIN, new) == {"rules": rules, "actions": actions, "effect": effect}


def test_the_order_of_calls_does_not_count() -> None:
    one, other = "{id: a, then: [note: {x: 1}]}", "{id: b, then: [note: {x: 2}]}"
    assert compared(f"rules:\n- {one}\n- {other}\n", f"rules:\n- {other}\n- {one}\n") == {}


def test_another_status_is_a_difference() -> None:
    old = "rules: [{id: a, then: [didit.update_status: {status: Declined}]}]"
    found = compared(old, old.replace("Declined", "Approved"))
    assert found == {"rules": {}, "actions": [("changed", "didit.update_status")], "effect": True}


def test_a_fault_is_a_difference_of_outcome() -> None:
    new = PLAIN.replace("event.liveness.score < 60", "raw.x * 2 > 1")
    assert compared(PLAIN, new)["actions"] == [("removed", "note"), ("added", "review")]
    document: Any = difference_document(difference("e", 0, decided(PLAIN), decided(new)))
    assert document["outcome"] == {"old": "decided", "new": "undecided"}
    assert "raw.x * 2 > 1" in document["reason"]["new"]


@pytest.mark.parametrize(
    ("old", "new", "sides"),
    [
        ("score < 60", "score < 40", [("event.liveness.score < 60", True), ("event.liveness.score < 40", False)]),
        ("score < 40", "score < 60", [("event.liveness.score < 40", False), ("event.liveness.score < 60", True)]),
        ("score < 60", "age < 18", [("event.liveness.score < 60", True), ("event.liveness.age < 18", None)]),
    ],
)
def test_the_deciding_condition_is_told_for_both_sides(old: str, new: str, sides: list[tuple[str, Any]]) -> None:
    text = "rules: [{id: a, when: [event.country == 'EST', event.liveness.%s]}]"
    before, after = decided(text % old), decided(text % new)
    (change,) = difference("e", 0, before, after).rules
    assert [(each and (each.expr, each.value)) for each in (change.old_condition, change.new_condition)] == sides
    document: Any = difference_document(difference("e", 0, before, after))
    assert document["rules"][0]["decided_by"]["old"]["inputs"] == {"event.liveness.score": 50}


def test_a_rule_that_was_not_looked_at_has_no_condition() -> None:
    (change,) = difference("e", 0, decided("rules: []"), decided(PLAIN)).rules
    assert (change.old, change.old_condition) == (None, None)
    assert change.new_condition is not None
    assert change.new_condition.inputs == {"event.liveness.score": 50}


def test_a_rule_without_conditions_has_none() -> None:
    (change,) = difference("e", 0, decided("rules: []"), decided("rules: [{id: a}]")).rules
    assert (change.was, change.becomes, change.new_condition) == ("not fired", "fired", None)


def test_a_stored_decision_comes_back_whole() -> None:
    decision = decided("let: {top: event.liveness.score}\n" + PLAIN.replace("event.liveness.score", "top"))
    recalled = Recalled.of(decision_document(decision), decision.actions)
    assert recalled.explained() == decision
    assert not differ(recalled.in_short(), decision)


def test_a_stored_fault_comes_back_with_its_reason() -> None:
    decision = decided("rules: [{id: a, when: raw.x * 2 > 1}]")
    assert Recalled.of(decision_document(decision), decision.actions).explained() == decision


def test_equal_calls_are_struck_off_one_by_one() -> None:
    call = PlannedAction("note", "a", {"x": 1})
    ref = PolicyRef("p", "0", "enforce")
    once, twice = (Decision("decided", ref, None, (), (call,) * times) for times in (1, 2))
    assert [(each.kind, each.old, each.new) for each in difference("e", 0, once, twice).actions] == [
        ("added", None, call)
    ]


def test_a_gallery_stays_small_and_shows_the_clearest_kinds_in_turn() -> None:
    gallery: Gallery[str] = Gallery()
    for number in range(1000):
        gallery.show(("rare", number), (1,), f"rare {number}")
        gallery.show("clear", (0,), f"clear {number}")
        gallery.show("frequent", (1,), f"frequent {number}")
    shown = gallery.clearest()
    assert len(shown) == EXAMPLES
    assert shown[:3] == ["clear 0", "frequent 0", "rare 0"]
    assert len(gallery._kinds) == KINDS
    assert max(len(kind.examples) for kind in gallery._kinds.values()) == EXAMPLES


def test_one_kind_alone_fills_the_gallery() -> None:
    gallery: Gallery[int] = Gallery()
    for number in range(100):
        gallery.show("same", (0,), number)
    assert gallery.clearest() == list(range(EXAMPLES))
    assert Gallery[int]().clearest() == []


def test_a_tally_has_a_bound_and_forgets_no_count() -> None:
    tally: Tally[int] = Tally()
    for number in range(Tally.LINES + 5):
        tally.add(number)
    tally.add(3, 7)
    assert tally.most()[0] == (3, 8)
    assert len(tally.most()) == Tally.LINES
    assert tally.others == 5
