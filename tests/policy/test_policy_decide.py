"""What a policy decides: a policy on top of each story, below it a table of events and what comes of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from receiver.contract import Event
from receiver.policy.decide import decide
from tests.support.policies import decision_on, event_of, outline, policy_from

ATTACK, TWIN, MAYBE_TWIN = "LIVENESS_FACE_ATTACK", "DUPLICATED_FACE", "POSSIBLE_DUPLICATED_FACE"

TAGS = """
    name: tags
    rules:
      - {id: short, tags: [A, B]}
      - {id: both, tags: {all: [A, B]}}
      - {id: a-not-c, tags: {any: [A], none: [C]}}
      - {id: errors, tags: {severity: [error]}}
      - {id: a-as-error, tags: {any: [A], severity: [error, warning]}}
      - {id: a-with-b-or-d, tags: {all: [A], any: [B, D]}}
      - {id: no-c, tags: {none: [C]}}
      - {id: every}
      - {id: data, on: data.updated}
      - {id: other, on: [user.data.updated, transaction.created]}
"""


@pytest.mark.parametrize(
    ("event", "looked_at"),
    [
        (event_of(), ["no-c", "every"]),
        (event_of("A"), ["short", "a-not-c", "errors", "a-as-error", "no-c", "every"]),
        (event_of("B"), ["short", "errors", "no-c", "every"]),
        (event_of("A", "B", "C"), ["short", "both", "errors", "a-as-error", "a-with-b-or-d", "every"]),
        (event_of("C"), ["errors", "every"]),
        (event_of(warnings={"A": "information"}), ["short", "a-not-c", "no-c", "every"]),
        (event_of(warnings={"A": "information", "C": "error"}), ["short", "errors", "every"]),
        (event_of(warnings={"A": None, "D": None}), ["short", "a-not-c", "a-with-b-or-d", "no-c", "every"]),
        (event_of("UNHEARD_OF"), ["errors", "no-c", "every"]),
        (event_of(type="data.updated"), ["no-c", "every", "data"]),
        (event_of(type="transaction.created"), ["other"]),
        (event_of("A", type="business.status.updated"), []),
    ],
)
def test_rules_are_looked_at_by_type_and_tags_in_file_order(event: Event, looked_at: list[str]) -> None:
    decision = decision_on(TAGS, event)
    assert [rule.id for rule in decision.rules] == looked_at
    assert all(rule.fired for rule in decision.rules)
    assert decision.outcome == "decided"


def test_order_holds_between_rules_with_tags_and_rules_without_over_files() -> None:
    """A rule found by tag and one that is always looked at keep the order of the files."""
    first = """
        name: one
        rules:
          - {id: z, tags: [B]}
          - {id: y}
          - {id: x, tags: [A]}
    """
    second = """
        name: two
        rules:
          - {id: c}
          - {id: b, tags: [A, B]}
          - {id: a, tags: [B]}
    """
    decision = decide(event_of("A", "B"), policy_from(first, second))
    assert [rule.id for rule in decision.rules] == ["z", "y", "x", "c", "b", "a"]


CONDITIONS = """
    name: conditions
    rules:
      - id: strong
        tags: [DUPLICATED_FACE]
        when:
          - event.liveness.score >= 50
          - event.country == "ESP"
        on_missing: {on_missing}
        then: [didit.face_search: {{min_similarity: 80}}]
"""


@pytest.mark.parametrize(
    ("on_missing", "score", "country", "fired", "actions"),
    [
        ("skip", 60, "ESP", True, ["didit.face_search"]),
        ("skip", 60, "PRT", False, []),
        ("skip", None, "PRT", False, []),
        ("skip", 40, None, False, []),
        ("skip", None, "ESP", None, []),
        ("skip", 60, None, None, []),
        ("fire", None, "ESP", True, ["didit.face_search"]),
        ("fire", None, "PRT", False, []),
        ("fire", None, None, True, ["didit.face_search"]),
        ("review", None, "ESP", None, ["review"]),
        ("review", None, "PRT", False, []),
        ("review", 60, "ESP", True, ["didit.face_search"]),
    ],
)
def test_three_values(on_missing: str, score: Any, country: str | None, fired: bool | None, actions: list[str]) -> None:
    """Any false: not fired. Else any undecided: `on_missing` says."""
    event = event_of(TWIN, liveness={"score": score}, country=country)
    decision = decision_on(CONDITIONS.format(on_missing=on_missing), event)
    assert decision.rules[0].fired is fired
    assert [action.name for action in decision.actions] == actions
    assert decision.outcome == "decided"


def test_every_condition_is_explained_with_its_line_values_and_what_is_missing() -> None:
    """Also those after a false one are listed, with what they read."""
    event = event_of(TWIN, liveness={"score": None}, country="PRT")
    (rule,) = decision_on(CONDITIONS.format(on_missing="review"), event).rules
    assert (rule.id, rule.fired, rule.mode, rule.line) == ("strong", False, "enforce", 3)
    first, second = rule.conditions
    assert (first.expr, first.value, first.line) == ("event.liveness.score >= 50", None, 6)
    assert "event.liveness.score" in first.missing
    assert (second.expr, second.value, second.line) == ('event.country == "ESP"', False, 7)
    assert second.inputs == {"event.country": "PRT"}
    assert second.missing == ()


def test_a_missing_value_that_goes_to_review_is_named() -> None:
    event = event_of(TWIN, liveness={"score": None}, country=None)
    decision = decision_on(CONDITIONS.format(on_missing="review"), event)
    (review,) = decision.actions
    assert (review.name, review.rule, review.state, review.once) == ("review", "strong", "planned", "event")
    assert review.params["queue"] == "undecided"
    assert review.params["reason"] == ("rule strong could not be decided; missing: event.liveness.score, event.country")


STOPS = """
    name: stops
    rules:
      - id: shadow-stop
        mode: shadow
        stop: true
      - id: attack
        tags: [LIVENESS_FACE_ATTACK]
        when: [event.status != "Approved"]
        stop: true
      - id: after
"""


@pytest.mark.parametrize(
    ("event", "rules"),
    [
        (event_of(ATTACK), {"shadow-stop": True, "attack": True}),
        (event_of(ATTACK, status="Approved"), {"shadow-stop": True, "attack": False, "after": True}),
        (event_of(), {"shadow-stop": True, "after": True}),
        (event_of(ATTACK, status=None), {"shadow-stop": True, "attack": None, "after": True}),
    ],
)
def test_stop_ends_the_run_if_the_rule_fires_and_is_not_in_shadow(event: Event, rules: dict[str, bool | None]) -> None:
    assert outline(decision_on(STOPS, event))["rules"] == rules


STATUSES = """
    name: statuses
    {order}
    rules:
      - id: approve
        then: [didit.update_status: {{status: Approved}}]
      - id: trial
        mode: shadow
        then: [didit.update_status: {{status: Declined}}]
      - id: look
        tags: [A]
        then: [didit.update_status: {{status: In Review}}]
      - id: decline
        tags: [B]
        then: [didit.update_status: {{status: Declined}}, note: {{x: 1}}]
      - id: decline-too
        tags: [B]
        then: [didit.update_status: {{status: "{{{{ 'Declined' }}}}"}}]
      - id: ask-first
        tags: [C]
        then:
          - didit.update_status: {{status: Declined}}
            needs_approval: true
"""


@pytest.mark.parametrize(
    ("order", "tags", "status", "states"),
    [
        ("", [], "Approved", {"approve": "planned", "trial": "skipped"}),
        ("", ["A"], "In Review", {"approve": "skipped", "look": "planned"}),
        ("", ["A", "B"], "Declined", {"approve": "skipped", "look": "skipped", "decline": "planned"}),
        ("", ["B"], "Declined", {"decline": "planned", "decline-too": "skipped"}),
        ("", ["C"], "Approved", {"approve": "planned", "ask-first": "awaiting_approval"}),
        ("status_order: [In Review]", ["A", "B"], "In Review", {"look": "planned", "decline": "skipped"}),
        ("status_order: [Resubmitted]", ["B"], "Approved", {"approve": "planned", "decline": "skipped"}),
    ],
)
def test_the_most_severe_status_wins(order: str, tags: list[str], status: str, states: dict[str, str]) -> None:
    """By `status_order`; a status it does not name ranks last. Shadow and unapproved actions do not count."""
    decision = decision_on(STATUSES.format(order=order), event_of(*tags))
    found = {action.rule: action.state for action in decision.actions if action.name == "didit.update_status"}
    assert decision.status == status
    assert {rule: found[rule] for rule in states} == states


def test_a_superseded_status_names_its_winner_and_leaves_other_actions_alone() -> None:
    decision = decision_on(STATUSES.format(order=""), event_of("A", "B"))
    assert {(action.rule, action.name): action.reason for action in decision.actions} == {
        ("approve", "didit.update_status"): "superseded by Declined of rule decline",
        ("trial", "didit.update_status"): "shadow",
        ("look", "didit.update_status"): "superseded by Declined of rule decline",
        ("decline", "didit.update_status"): None,
        ("decline", "note"): None,
        ("decline-too", "didit.update_status"): "superseded by Declined of rule decline",
    }


def test_status_orders_of_several_files_are_joined() -> None:
    first = (
        "name: a\nstatus_order: [Declined, Approved]\nrules: [{id: a, then: [didit.update_status: {status: Approved}]}]"
    )
    second = "status_order: [In Review, Declined]\nrules: [{id: b, then: [didit.update_status: {status: In Review}]}]"
    assert decide(event_of(), policy_from(first, second)).status == "Approved"
    assert decide(event_of(), policy_from(second, first)).status == "In Review"


def test_without_a_status_action_there_is_no_status() -> None:
    then = "[note: {status: Declined}, didit.update_status: {status: '{{ event.previous_status }}'}]"
    text = f"rules: [{{id: a, then: {then}}}]"
    decision = decision_on(text, event_of())
    assert decision.status is None
    assert [action.params for action in decision.actions] == [{"status": "Declined"}, {"status": None}]


STALE = """
    name: stale
    rules:
      - id: block
        tags: [LIVENESS_FACE_ATTACK]
        when: [event.status == "In Review"]
        on_stale: {on_stale}
        then: [didit.blocklist_add: {{face: true}}, didit.update_status: {{status: Declined}}]
        stop: true
      - id: after
"""


@pytest.mark.parametrize(
    ("on_stale", "actions", "status"),
    [
        ("review", [("block", "review", "planned")], None),
        ("skip", [("block", "didit.blocklist_add", "skipped"), ("block", "didit.update_status", "skipped")], None),
        ("act", [("block", "didit.blocklist_add", "planned"), ("block", "didit.update_status", "planned")], "Declined"),
    ],
)
def test_a_late_event_follows_on_stale(on_stale: str, actions: list[tuple[str, str, str]], status: str | None) -> None:
    """It is decided all the same, and `stop` holds; what it may do is the rule's to say."""
    decision = decision_on(STALE.format(on_stale=on_stale), event_of(ATTACK, stale=True))
    assert outline(decision) == {"rules": {"block": True}, "actions": actions, "status": status}


def test_a_stale_review_names_the_rule_and_what_it_would_have_done() -> None:
    (review,) = decision_on(STALE.format(on_stale="review"), event_of(ATTACK, stale=True)).actions
    assert review.params["queue"] == "stale"
    for part in ("block", "didit.blocklist_add", "didit.update_status"):
        assert part in str(review.params["reason"])


def test_a_late_event_on_which_no_rule_fires_does_nothing() -> None:
    decision = decision_on(STALE.format(on_stale="review"), event_of(ATTACK, stale=True, status="Declined"))
    assert outline(decision)["rules"] == {"block": False, "after": True}
    assert [action.rule for action in decision.actions] == ["after"]  # it fired, and would have done nothing


ECHO = """
    name: echo
    rules:
      - {id: plain, then: [note: {}]}
      - {id: echoing, echo: true, tags: [A], then: [note: {}]}
"""


@pytest.mark.parametrize(
    ("event", "outcome", "rules"),
    [
        (event_of("A"), "decided", ["plain", "echoing"]),
        (event_of("A", echo=True), "decided", ["echoing"]),
        (event_of(echo=True), "echo", []),
        (event_of("A", echo=True, type="data.deleted"), "echo", []),
    ],
)
def test_our_own_echo_is_decided_only_by_rules_that_ask_for_it(event: Event, outcome: str, rules: list[str]) -> None:
    decision = decision_on(ECHO, event)
    assert decision.outcome == outcome
    assert [rule.id for rule in decision.rules] == rules
    assert [action.rule for action in decision.actions] == rules


def test_shadow_decides_and_records_and_plans_nothing_that_runs() -> None:
    """Whatever the rule would start (a call, an approval, a review) is skipped, with the reason."""
    text = """
        name: trial
        mode: shadow
        rules:
          - {id: acts, then: [didit.face_search: {}, {note: {}, needs_approval: true}]}
          - {id: asks, when: [event.country == "ESP"], on_missing: review}
    """
    policy = policy_from(text)
    decision = decide(event_of(), policy)
    assert policy.ref.mode == "shadow"
    assert [rule.mode for rule in decision.rules] == ["shadow", "shadow"]
    assert [rule.fired for rule in decision.rules] == [True, None]
    assert [(action.name, action.state, action.reason) for action in decision.actions] == [
        ("didit.face_search", "skipped", "shadow"),
        ("note", "skipped", "shadow"),
        ("review", "skipped", "shadow"),
    ]


def test_let_values_are_computed_once_when_needed_and_recorded() -> None:
    """In any order, also of each other; what nobody needs is not computed; what cannot be known is null."""
    text = """
        name: lets
        let:
          double: top + top
          top: max(event.matches.map(m, m.similarity))
          unused: event.liveness.score + 1
          nothing: event.liveness.score
        rules:
          - {id: a, when: [double > 150.0, top > 70.0]}
          - {id: b, when: [nothing > 1], then: [note: {top: "{{ top }}"}]}
          - {id: c, when: [nothing == null], then: [note: {top: "{{ top }}"}]}
    """
    decision = decision_on(text, event_of(matches=[{"similarity": 71.5}, {"similarity": 96.25}]))
    assert outline(decision)["rules"] == {"a": True, "b": None, "c": True}
    assert decision.values == {"top": 96.25, "double": 192.5, "nothing": None}
    assert decision.rules[0].conditions[0].inputs == {"double": 192.5}
    assert decision.actions[0].params == {"top": 96.25}


def test_each_file_has_its_own_lets_and_lists() -> None:
    """The same name may mean something else in another file; then the values carry the file's policy name."""
    text = """
        name: {name}
        lists: {{seen: [{country}]}}
        let: {{limit: "{limit}"}}
        rules: [{{id: "{name}", when: [event.country in lists.seen, event.liveness.score >= limit]}}]
    """
    policy = policy_from(
        text.format(name="low", country="ESP", limit=40), text.format(name="high", country="PRT", limit=80)
    )
    decision = decide(event_of(country="ESP", liveness={"score": 60}), policy)
    assert outline(decision)["rules"] == {"low": True, "high": False}
    assert decision.values == {"low.limit": 40, "high.limit": 80}


def test_results_are_seen_by_the_rules_that_listen_to_them() -> None:
    text = """
        name: results
        rules:
          - {id: search, tags: [A], then: [didit.face_search: {}]}
          - id: ring
            on: action.didit.face_search
            when: ["result.matches.filter(m, m.similarity >= 90.0).size() >= 2", action.rule == "search"]
            then: [review: {queue: twins, reason: "{{ result.total_matches }} look-alikes"}]
          - {id: either, on: [status.updated, action.didit.face_search], when: [result == null]}
    """
    policy = policy_from(text)
    assert policy.listens == {"status.updated", "data.updated", "action.didit.face_search"}
    assert outline(decide(event_of("A"), policy))["rules"] == {"search": True, "either": True}
    event = event_of(
        "A",
        type="action.didit.face_search",
        result={"matches": [{"similarity": 99.0}, {"similarity": 91.5}, {"similarity": 12.0}], "total_matches": 3},
        action={"name": "didit.face_search", "rule": "search"},
    )
    decision = decide(event, policy)
    assert outline(decision)["rules"] == {"ring": True, "either": False}
    assert decision.actions[0].params == {"queue": "twins", "reason": "3 look-alikes"}


def test_raw_is_the_payload_as_sent() -> None:
    text = "rules: [{id: a, when: ['raw.metadata.plan == \"gold\"']}]"
    assert decision_on(text, event_of(raw={"metadata": {"plan": "gold"}})).rules[0].fired is True
    assert decision_on(text, event_of(raw={})).rules[0].fired is None


def test_an_action_carries_its_options() -> None:
    """`once` is the action's own unless the rule says otherwise; `limit` is the rule's, in seconds."""
    text = """
        rules:
          - id: a
            limit: 50/hour
            then:
              - didit.face_search: {min_similarity: 80}
              - review: {queue: q}
              - didit.blocklist_add: {face: true}
                needs_approval: true
                once: event
    """
    first, second, third = decision_on(text, event_of()).actions
    assert (first.once, second.once, third.once) == ("session", "event", "event")
    assert {first.limit, second.limit, third.limit} == {(50, 3600)}
    assert (third.state, third.reason) == ("awaiting_approval", "the rule asks for approval")


FAULTS = """
    name: faults
    let: {{broken: 1 / event.liveness.score}}
    rules:
      - id: before
        then: [note: {{}}, didit.update_status: {{status: Declined}}]
      - id: faulty
        mode: {mode}
        when: {when}
        then: {then}
      - id: after
        then: [note: {{}}]
"""


@pytest.mark.parametrize(
    ("when", "then", "expression", "listed"),
    [
        ("[event.status == 'In Review', 1 / event.liveness.score > 1]", "[]", "1 / event.liveness.score > 1", 2),
        ("[raw.verdict]", "[]", "raw.verdict", 1),
        ("[broken > 1]", "[]", "1 / event.liveness.score", 1),
        ("[]", "[note: {x: '{{ 1 / event.liveness.score }}'}]", "1 / event.liveness.score", 0),
        ("['1 / event.liveness.score > 1', event.status == 'In Review']", "[]", "1 / event.liveness.score > 1", 2),
    ],
)
def test_a_fault_at_run_time_plans_nothing_but_a_review(when: str, then: str, expression: str, listed: int) -> None:
    """The event is never lost, the policy never half-run, and the record says which rule and which expression."""
    event = event_of(raw={"verdict": "yes"}, liveness={"score": 0})
    decision = decision_on(FAULTS.format(mode="enforce", when=when, then=then), event)
    assert decision.outcome == "undecided"
    assert decision.status is None
    assert outline(decision)["rules"] == {"before": True, "faulty": None}
    assert len(decision.rules[1].conditions) == listed
    (review,) = decision.actions
    assert (review.name, review.rule, review.params["queue"]) == ("review", "faulty", "undecided")
    assert decision.reason is not None
    assert decision.reason.startswith("rule faulty: `")
    assert f"`{expression}`" in decision.reason.replace("` ", "`").replace(" `", "`")
    assert review.params["reason"] == decision.reason


@pytest.mark.parametrize(
    ("when", "values"),
    [
        ("[event.status == 'Approved', 1 / event.liveness.score > 1]", [False, None]),
        ("[1 / event.liveness.score > 1, event.status == 'Approved']", [None, False]),
    ],
)
def test_a_fault_beside_a_false_condition_does_not_matter(when: str, values: list[bool | None]) -> None:
    """Any false: the rule does not fire, whatever the order, as `&&` has it within one condition."""
    decision = decision_on(FAULTS.format(mode="enforce", when=when, then="[]"), event_of(liveness={"score": 0}))
    assert decision.outcome == "decided"
    assert outline(decision)["rules"] == {"before": True, "faulty": False, "after": True}
    assert [condition.value for condition in decision.rules[1].conditions] == values


def test_a_fault_in_shadow_is_noted_and_stops_nobody_else() -> None:
    """A trial cannot switch the live policy off."""
    text = FAULTS.format(mode="shadow", when="[1 / event.liveness.score > 1]", then="[]")
    decision = decision_on(text, event_of(liveness={"score": 0}))
    assert decision.outcome == "decided"
    assert decision.status == "Declined"
    assert outline(decision)["rules"] == {"before": True, "faulty": None, "after": True}
    assert decision.reason is not None
    assert decision.reason.startswith("in shadow, rule faulty: `1 / event.liveness.score > 1`: ")


def test_the_step_budget_ends_a_policy_that_works_too_much() -> None:
    """Whoever sends a long list cannot make a decision long."""
    text = "rules: [{id: heavy, when: ['event.matches.all(a, event.matches.all(b, a.similarity >= b.similarity))']}]"
    event = event_of(matches=[{"similarity": 1.0}] * 500)
    decision = decision_on(text, event)
    assert decision.outcome == "undecided"
    assert decision.actions[0].rule == "heavy"


def test_a_shadow_rule_spends_steps_of_its_own() -> None:
    text = """
        rules:
          - {id: heavy, mode: shadow, when: ['event.matches.all(a, a.similarity >= 0.0)']}
          - {id: light, when: [event.status == "In Review"]}
    """
    decision = decide(event_of(matches=[{"similarity": 1.0}] * 100), policy_from(text), budget=60)
    assert outline(decision)["rules"] == {"heavy": None, "light": True}
    assert decision.outcome == "decided"


def test_deciding_is_pure() -> None:
    """Twice the same, and neither the event nor the policy is touched: a third decision is the same again."""
    policy = policy_from(STATUSES.format(order=""), CONDITIONS.format(on_missing="review"))
    event = event_of("A", "B", "C", TWIN, matches=[{"similarity": 1.0}])
    before = copy.deepcopy(event)
    first = decide(event, policy)
    second = decide(event, policy)
    assert first == second
    first.actions[0].params["status"] = "changed by somebody downstream"
    assert decide(event, policy) == second
    assert event == before


def test_how_a_let_value_came_out_is_recorded_with_what_it_read() -> None:
    """The record says on which values of the event a decision stands, also where the policy named them (I8)."""
    text = """
        let: {top: "max(event.matches.map(m, m.similarity))", twin: top >= limit, limit: "90.0"}
        rules: [{id: r, when: [twin], then: [note: {}]}]
    """
    event = event_of(matches=[{"similarity": 96.5}])
    decision = decision_on(text, event)
    assert [(let.name, let.value, dict(let.inputs)) for let in decision.lets] == [
        ("limit", 90.0, {}),
        ("top", 96.5, {"event.matches": [{"similarity": 96.5}]}),
        ("twin", True, {"top": 96.5, "limit": 90.0}),
    ]
    assert decision_on(text, event_of(matches=None)).lets[1].missing == ("event.matches",)
    assert decide(event, policy_from(text), explain=False).lets == ()


def test_a_long_list_of_the_policy_is_not_repeated_in_every_decision() -> None:
    text = f"""
        lists: {{many: {list(range(200))}, few: [1, 2]}}
        rules: [{{id: r, when: [raw.n in lists.many, raw.n in lists.few], then: [note: {{}}]}}]
    """
    first, second = decision_on(text, event_of(raw={"n": 7})).rules[0].conditions
    assert first.inputs["lists.many"] == "a list of 200, too large to be shown here"
    assert second.inputs["lists.few"] == [1, 2]
