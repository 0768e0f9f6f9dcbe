"""What would have turned a condition: tables, and the property that what is said is true."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.contract import EventDocument
from receiver.policy.decide import decide
from receiver.policy.explain import decision_document
from receiver.policy.expressions.expression import (
    UNDECIDED,
    Budget,
    ExpressionFault,
    Names,
    compile_expression,
    shape_of,
)
from receiver.policy.would_change import explained, explained_again, would_change
from tests.support.policies import event_of, policy_from

NAMES = Names({"event": shape_of(EventDocument), "raw": None, "lists": {"trusted": None}, "top": None})
LISTS = {"trusted": ["ESP", "PRT"]}


def evaluated(text: str, scope: Mapping[str, Any]) -> bool | None:
    value = compile_expression(text, NAMES).evaluate(scope, Budget(100_000))
    assert value is None or value is UNDECIDED or isinstance(value, bool)
    return None if value is UNDECIDED else value


def told(text: str, **roots: Any) -> str | None:
    """The change in short, such as `event.liveness.score < 60.0: true`."""
    scope = {"event": {}, "raw": {}, "lists": LISTS, **roots}
    value = evaluated(text, scope)
    change: Any = would_change(text, value, scope, [True, False] if value is None else [not value])
    return f"{change['path']} {change['op']} {change['value']}: {change['gives']}" if change else None


def matches(*similarities: float | None) -> dict[str, Any]:
    return {"matches": [{"similarity": similarity} for similarity in similarities]}


@pytest.mark.parametrize(
    ("text", "event", "change"),
    [
        ("event.liveness.score < 60.0", {"liveness": {"score": 77}}, "event.liveness.score < 60.0: True"),
        ("event.liveness.score < 60.0", {"liveness": {"score": 41}}, "event.liveness.score >= 60.0: False"),
        ("60 >= event.liveness.score", {"liveness": {"score": 77}}, "event.liveness.score <= 60: True"),
        ("event.liveness.score < 60.0", {}, "event.liveness.score < 60.0: True"),
        ("event.liveness.score < 60.0", {"liveness": {"score": None}}, "event.liveness.score < 60.0: True"),
        ("(event.liveness.score ?? 0) > 60", {}, "event.liveness.score > 60: True"),
        ('event.status == "Approved"', {"status": "Declined"}, "event.status == Approved: True"),
        ('event.status == "Approved"', {"status": "Approved"}, "event.status != Approved: False"),
        ('event.status != "Approved"', {"status": "Approved"}, "event.status != Approved: True"),
        ("event.country in lists.trusted", {"country": "EST"}, "event.country in ['ESP', 'PRT']: True"),
        ("!(event.country in lists.trusted)", {"country": "ESP"}, "event.country not in ['ESP', 'PRT']: True"),
        ('event.country in ["A"]', {}, "event.country in ['A']: True"),
        ("event.liveness.age in [1, 2]", {"liveness": {"age": 2}}, "event.liveness.age not in [1, 2]: False"),
        ('"A" in event.tags', {"tags": ["B"]}, "event.tags contains A: True"),
        ('"A" in event.tags', {"tags": ["A"]}, "event.tags not contains A: False"),
        ("event.ip.is_vpn", {"ip": {"is_vpn": False}}, "event.ip.is_vpn == True: True"),
        ("event.ip.is_vpn", {"ip": {"is_vpn": None}}, "event.ip.is_vpn == True: True"),
        ("!event.ip.is_vpn", {"ip": {"is_vpn": False}}, "event.ip.is_vpn == True: False"),
        ("event.ip.is_vpn == true", {"ip": {"is_vpn": True}}, "event.ip.is_vpn == False: False"),
        ("event.phone != null", {}, "event.phone present None: True"),
        ("event.phone == null", {"phone": "1"}, "event.phone absent None: True"),
        ("size(event.warnings) == 0", {"warnings": [{}]}, "event.warnings size == 0: True"),
        ("event.warnings.size() > 1", {"warnings": [{}, {}]}, "event.warnings size <= 1: False"),
        ('event.email.endsWith("@x.invalid")', {"email": "a"}, "event.email endsWith @x.invalid: True"),
        ('event.email.startsWith("a")', {"email": "a"}, "event.email not startsWith a: False"),
        ('event.email.contains("+")', {}, "event.email contains +: True"),
        ("event.liveness.score < event.face_match.score", {"liveness": {"score": 9}, "face_match": {"score": 5}},
         "event.liveness.score < 5: True"),
        ("max(event.matches.map(m, m.similarity)) >= 70.0", matches(50, 60),
         "event.matches[1].similarity >= 70.0: True"),
        ("max(event.matches.map(m, m.similarity)) >= 70.0", matches(50, 76),
         "event.matches[1].similarity < 70.0: False"),
        ("max(event.liveness.score, event.face_match.score) > 5",
         {"liveness": {"score": 1}, "face_match": {"score": 4}},
         "event.face_match.score > 5: True"),
        ("event.matches.filter(m, m.similarity >= 90.0).size() >= 2", matches(80, 96),
         "event.matches[0].similarity >= 90.0: True"),
        ("event.matches.exists(m, m.similarity > 90)", matches(80), "event.matches[0].similarity > 90: True"),
        ("event.matches.all(m, m.similarity > 90)", matches(91, 95), "event.matches[0].similarity <= 90: False"),
        ("event.matches[0].similarity > 90", matches(80), "event.matches[0].similarity > 90: True"),
        # read twice: only the value that was tried is told
        ("event.liveness.score > 3 && event.liveness.score < 5", {"liveness": {"score": 1}},
         "event.liveness.score == 4: True"),
    ],
)  # fmt: skip
def test_the_smallest_change_of_one_value(text: str, event: dict[str, Any], change: str) -> None:
    assert told(text, event=event) == change


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("event.liveness.score * 2 > 100", {"liveness": {"score": 1}}),
        ("max(event.matches.map(m, m.similarity)) >= 70.0", matches(80, 76)),
        ("event.matches.exists(m, m.similarity > 90)", {"matches": []}),
        ("event.matches[3].similarity > 90 || false", {}),
        ("1 > 2", {}),
        ('"ESP" in lists.trusted', {}),
        ("event.status != event.status", {"status": "A"}),
        ("has(event.liveness.score) && event.liveness.score > 3", {}),
        ("size(event.matches) > 0 && event.matches.all(m, m.similarity == null)", {"matches": []}),
        ("event.status == 'A' || event.status == 'B'", {"status": "A"}),
    ],
)
def test_nothing_is_said_where_nothing_certain_can_be(text: str, event: dict[str, Any]) -> None:
    assert told(text, event=event) is None


def test_what_is_absent_from_a_payload_has_no_key() -> None:
    assert told("has(raw.a.b)", raw={"a": {"b": 1}}) == "raw.a.b absent None: False"
    assert told("has(raw.b)", raw={}) == "raw.b present None: True"
    assert told('raw["odd key"] == 1', raw={}) == 'raw["odd key"] == 1: True'


def test_a_let_value_counts_as_a_value() -> None:
    assert told("top >= 70.0", top=55) == "top >= 70.0: True"


def test_a_text_that_is_no_condition_or_came_out_otherwise_says_nothing() -> None:
    assert would_change("event.a >", False, {"event": {}}, [True]) is None
    assert would_change("event.a > 3", False, {"event": {"a": 4}}, [True]) is None
    assert would_change("event.a > 3", None, {"event": {"a": "text"}}, [True]) is None


POLICY = """
    name: p
    lists: {trusted: [ESP]}
    let: {top: "max(event.matches.map(m, m.similarity))"}
    rules:
      - id: fires
        when: [top >= 70.0, "!(event.country in lists.trusted)"]
      - id: does-not
        when: [top >= 70.0, event.status == "Approved"]
      - id: open
        when: [event.liveness.score < 60.0, event.status == "In Review"]
      - id: fires-open
        when: [event.liveness.score < 60.0]
        on_missing: fire
"""
EVENT = event_of(matches=[{"similarity": 80}], country="EST")


def changes_of(document: Any) -> dict[str, list[Any]]:
    return {
        rule["id"]: [
            f"{change['path']} {change['op']} {change['value']}: {change['gives']}" if change else None
            for change in (condition.get("would_change") for condition in rule["conditions"])
        ]
        for rule in document["rules"]
    }


SAID = {
    "fires": ["event.matches[0].similarity < 70.0: False", "event.country in ['ESP']: False"],
    "does-not": [None, "event.status == Approved: True"],
    "open": ["event.liveness.score < 60.0: True", None],
    "fires-open": ["event.liveness.score >= 60.0: False"],
}


def test_the_conditions_that_decided_say_what_would_have_turned_them() -> None:
    policy = policy_from(POLICY)
    assert changes_of(explained(decide(EVENT, policy), EVENT, policy)) == SAID


def test_a_stored_decision_says_the_same_without_its_policy() -> None:
    stored = decision_document(decide(EVENT, policy_from(POLICY)))
    document: Any = EVENT.document
    assert changes_of(explained_again(stored, document, {})) == SAID


def test_a_stored_result_event_knows_its_result() -> None:
    policy = policy_from("rules: [{id: r, on: action.didit.face_search, when: [result.n > 3, action.attempt == 1]}]")
    action: Any = {"attempt": 1}
    event = event_of(type="action.didit.face_search", result={"n": 1}, action=action)
    stored = decision_document(decide(event, policy))
    document: Any = event.document
    again = explained_again(stored, document, {"action": action, "result": {"n": 1}})
    assert changes_of(again) == {"r": ["result.n > 3: True", None]}


ATOMS = [
    "event.liveness.score < 60.0", "event.liveness.score >= 20", "50 > event.liveness.score", "event.status == 'A'",
    "event.status != 'B'", "event.country in lists.trusted", "!(event.country in lists.trusted)", "'A' in event.tags",
    "size(event.tags) > 1", "size(event.matches) == 2", "event.ip.is_vpn", "!event.ip.is_vpn", "event.phone == null",
    "has(event.liveness.score)", "has(raw.x.y)", "raw.x.y != null", "(raw.x.y ?? 3) > 2", "event.email.endsWith('x')",
    "event.email.contains('a')", "event.matches.exists(m, m.similarity > 50)",
    "event.matches.all(m, m.similarity > 50)",
    "max(event.matches.map(m, m.similarity)) >= 50", "min(event.matches.map(m, m.similarity)) < 50.0", "top > 5",
    "event.matches.filter(m, m.similarity >= 50).size() >= 2", "event.liveness.score < event.face_match.score",
    "max(event.matches.filter(m, m.similarity > 20).map(m, m.similarity)) < 60", "event.liveness.score * 2 > 100",
    "event.matches.exists(m, m.similarity > 50 && m.status in lists.trusted)", "event.tags.exists(t, t == 'A')",
    "event.matches[0].similarity <= 50", "max(event.liveness.score, event.face_match.score) > 50",
]  # fmt: skip
CONDITIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda text: f"!({text})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} ? {parts[1]} : {parts[2]})"),
    ),
    max_leaves=4,
)
NUMBERS = st.one_of(st.none(), st.integers(0, 100), st.floats(0, 100).map(lambda number: round(number, 2)))
WORDS = st.one_of(st.none(), st.sampled_from(["A", "B", "ESP", "PRT", "ax", ""]))
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "liveness": st.one_of(st.none(), st.fixed_dictionaries({"score": NUMBERS})),
        "face_match": st.fixed_dictionaries({"score": NUMBERS}),
        "status": WORDS,
        "country": WORDS,
        "email": WORDS,
        "phone": WORDS,
        "tags": st.lists(st.sampled_from(["A", "B"]), max_size=3),
        "ip": st.fixed_dictionaries({"is_vpn": st.one_of(st.none(), st.booleans())}),
        "matches": st.lists(st.fixed_dictionaries({"similarity": NUMBERS, "status": WORDS}), max_size=3),
    },
)
RAWS = st.sampled_from([{}, {"x": None}, {"x": {}}, {"x": {"y": None}}, {"x": {"y": 1}}, {"x": {"y": 9}}])


def value_as_told(path: str, op: str, value: Any, now: Any, draw: Any) -> Any:
    """Some value of which the told relation is true."""
    match op:
        case "<" | "<=" | ">" | ">=":
            away = draw(st.sampled_from([0, 1, 0.5, 30]) if "=" in op else st.sampled_from([1, 0.5, 30]))
            return value - away if op[0] == "<" else value + away
        case "==" | "size ==":
            return value if op == "==" else sized(now, value)
        case "!=":
            return draw(st.sampled_from([other for other in ("A", "B", "other") if other != value]))
        case "in":
            return draw(st.sampled_from(value))
        case "not in":
            return draw(st.sampled_from([other for other in ("A", "zz", "") if other not in value]))
        case "contains" if path == "event.tags":
            return [*(now or []), value]
        case "contains":
            return f"b{value}b"
        case "not contains":
            return [item for item in now or [] if item != value] if path == "event.tags" else "b"
        case "endsWith":
            return f"anything {value}"
        case "not endsWith":
            return f"{value} not"
        case "present":
            return draw(st.sampled_from([1, "something", True]))
        case "absent":
            return None
    away = {"size <": -1, "size <=": 0, "size >": draw(st.integers(1, 5)), "size >=": 0, "size !=": 1}[op]
    return sized(now, value + away)


def sized(now: Any, size: int) -> Any:
    return [*(now or []), *["more"] * size][:size]


def put(scope: dict[str, Any], path: str, value: Any, *, absent: bool) -> dict[str, Any]:
    """A copy of the scope with a value at a path."""
    changed = copy.deepcopy(scope)
    steps: list[Any] = [int(index) if index else name for name, index in re.findall(r"([a-z_]+)|\[(\d+)\]", path)]
    inside: Any = changed
    for step in steps[:-1]:
        if isinstance(inside, dict) and inside.get(step) is None:
            inside[step] = {}
        inside = inside[step]
    if absent and steps[0] != "event":
        inside.pop(steps[-1], None)
    else:
        inside[steps[-1]] = value
    return changed


def stands(scope: dict[str, Any], path: str) -> Any:
    inside: Any = scope
    for name, index in re.findall(r"([a-z_]+)|\[(\d+)\]", path):
        inside = inside[int(index)] if index else (inside or {}).get(name)
    return inside


@settings(max_examples=1500, deadline=None)
@given(CONDITIONS, EVENTS, RAWS, st.data())
def test_a_change_that_is_told_turns_the_condition(
    text: str, event: dict[str, Any], raw: dict[str, Any], data: st.DataObject
) -> None:
    scope: dict[str, Any] = {"event": event, "raw": raw, "lists": LISTS, "top": 4}
    try:
        value = evaluated(text, scope)
    except ExpressionFault:
        return
    change: Any = would_change(text, value, scope, [True, False] if value is None else [not value])
    if change is None:
        return
    path, op = change["path"], change["op"]
    told_value = value_as_told(path, op, change["value"], stands(scope, path), data.draw)
    changed = put(scope, path, told_value, absent=op == "absent")
    assert change["gives"] is not value
    assert evaluated(text, changed) is change["gives"], (change, told_value)
