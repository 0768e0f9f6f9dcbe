"""Tests of policies: how they are read, when they fail, what the failure says, and what they cover."""

from __future__ import annotations

import textwrap

import pytest

from receiver.errors import ConfigurationError
from receiver.policy.compile import compile_policy
from receiver.policy.coverage import coverage_of
from receiver.policy.suite import example_cases, suite_cases, suite_of
from receiver.policy.testing import CaseResult, run_cases
from receiver.yamltext import read_yaml
from tests.support.policies import ACTIONS, policy_from

POLICY = """
    name: p
    rules:
      - id: attack
        tags: [LIVENESS_FACE_ATTACK]
        then:
          - didit.update_status: {status: Declined}
        stop: true
      - id: low
        on: [status.updated]
        tags: [LOW]
        when:
          - event.liveness.score < 60.0
          - event.country == "ESP"
        on_missing: review
        then: [{note: {}}]
      - id: trial
        mode: shadow
        tags: [LOW]
        then: [{note: {}}]
      - id: ring
        on: action.didit.face_search
        when: [size(result.matches) > 1]
        then: [{note: {}}]
"""


def ran(tests: str, policy: str = POLICY) -> list[CaseResult]:
    """The results of a test document on a policy, both as YAML text."""
    document = read_yaml(textwrap.dedent(tests), "p_test.yaml")
    compiled = policy_from(policy)
    return run_cases(compiled, suite_cases(document, suite_of(document), compiled))


def one(event: str, expect: str, more: str = "") -> list[tuple[str, str]]:
    """How one test fails: (expected, actual) of each failure."""
    result = ran(f"tests:\n  - name: t\n    event: {event}\n    expect: {expect}\n{more}")[0]
    return [(failure.expected, failure.actual) for failure in result.failures]


def refusal(tests: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        ran(tests)
    return [f"{problem.line}: {problem.code} {problem.message}" for problem in caught.value.problems]


LOW = "{tags: [LOW], liveness: {score: 41}, country: ESP}"


@pytest.mark.parametrize(
    ("event", "expect"),
    [
        (LOW, "{fired: [low], shadow: [trial], not_fired: [attack, ring], actions: [note], status: null}"),
        ("{tags: [LIVENESS_FACE_ATTACK, LOW]}", "{fired: attack, status: Declined, not_fired: [low]}"),
        ("{tags: [LOW], country: ESP}", "{undecided: [low], actions: [review]}"),
        ("{tags: [LOW], country: EST}", "{not_fired: {low: 'event.country  == \"ESP\"'}}"),
        ("{tags: [OTHER]}", "{fired: [], undecided: [], shadow: [], actions: []}"),
    ],
)
def test_what_comes_true_passes(event: str, expect: str) -> None:
    assert one(event, expect) == []


@pytest.mark.parametrize(
    ("event", "expect", "failures"),
    [
        (LOW, "{fired: [attack]}", [("attack fires", "not looked at: its tags do not match; the event has LOW")]),
        (LOW, "{not_fired: [low]}", [("low does not fire", "fires")]),
        (LOW, "{undecided: [low]}", [("low undecided", "fires")]),
        (LOW, "{fired: [trial]}", [("trial fires", "fires in shadow")]),
        (LOW, "{not_fired: [trial]}", [("trial does not fire", "fires in shadow")]),
        (LOW, "{fired: []}", [("no rule fires", "low")]),
        (LOW, "{shadow: []}", [("no rule fires in shadow", "trial")]),
        (LOW, "{status: Declined}", [("status Declined", "status not set")]),
        (LOW, "{actions: [note, note]}", [("actions note, note", "actions note")]),
        ("{tags: [LOW], country: ESP}", "{not_fired: [low]}", [("low does not fire", "undecided")]),
        (
            "{tags: [LIVENESS_FACE_ATTACK, LOW], liveness: {score: 1}, country: ESP}",
            "{fired: [low]}",
            [("low fires", "not looked at: rule attack, which comes before it, fired and has `stop: true`")],
        ),
        (
            "{type: data.updated, tags: [LOW]}",
            "{fired: [low]}",
            [("low fires", "not looked at: the event is a data.updated, the rule is for status.updated")],
        ),
        (
            "{tags: [LOW], echo: true}",
            "{fired: [low]}",
            [
                (
                    "low fires",
                    "not looked at: the event is the echo of our own call, and the rule does not say `echo: true`",
                )
            ],
        ),
        (
            "{tags: [LOW], country: EST, liveness: {score: 77}}",
            "{not_fired: {low: 'event.liveness.score < 60.0'}}",
            [
                (
                    "low does not fire, since `event.liveness.score < 60.0` alone is false",
                    'false: `event.liveness.score < 60.0`, `event.country == "ESP"`',
                )
            ],
        ),
        (
            "{tags: [OTHER]}",
            "{not_fired: {low: 'event.liveness.score < 60.0'}}",
            [
                (
                    "low does not fire, since `event.liveness.score < 60.0` alone is false",
                    "not looked at: its tags do not match; the event has OTHER",
                )
            ],
        ),
    ],
)
def test_what_does_not_come_true_is_said_with_what_did(
    event: str, expect: str, failures: list[tuple[str, str]]
) -> None:
    assert one(event, expect) == failures


def test_a_policy_that_cannot_be_computed_fails_every_expectation() -> None:
    policy = "rules: [{id: odd, when: ['raw.n > 3'], then: [{note: {}}]}]"
    result = ran("tests: [{name: t, raw: {n: text}, expect: {fired: [], undecided: [odd]}}]", policy)[0]
    assert len(result.failures) == 1
    assert result.failures[0].rule == "odd"
    assert "cannot be computed: rule odd" in result.failures[0].actual


def test_fixtures_serve_by_name_anchor_and_merge() -> None:
    results = ran("""
        fixtures:
          low: &low {tags: [LOW], country: ESP, liveness: {score: 41}}
          twins: {matches: [{}, {}]}
        tests:
          - {name: by name, event: low, expect: {fired: [low]}}
          - {name: by anchor, event: *low, expect: {fired: [low]}}
          - name: merged
            event: {<<: *low, country: EST}
            expect: {not_fired: {low: 'event.country == "ESP"'}}
          - {name: result, event: {type: action.didit.face_search}, result: twins, expect: {fired: [ring]}}
          - {name: by action, action: {name: didit.face_search}, result: twins, expect: {fired: [ring]}}
    """)
    assert [(result.case.name, result.failures) for result in results] == [
        (name, ()) for name in ("by name", "by anchor", "merged", "result", "by action")
    ]
    assert [result.case.line for result in results] == [6, 7, 8, 11, 12]


@pytest.mark.parametrize(
    ("tests", "found"),
    [
        ("tests: []", ["1: T002 no test is written here, so nothing would be checked"]),
        ("{}", ["1: P003 the key 'tests' is missing"]),
        ("", ["1: P004 this must be a mapping, not empty"]),
        ("test: []\ntests: []", ["1: P002 unknown key 'test'; did you mean 'tests'?"]),
        (
            "tests:\n - {name: t, event: {}, expect: {fire: [low]}}",
            ["2: P002 unknown key 'fire'; did you mean 'fired'?"],
        ),
        (
            "tests:\n - {name: t, expect: {}}",
            ["2: P004 `expect` expects nothing: no decision could fail it"],
        ),
        ("tests:\n - {name: t, expect: {not_fired: []}}", ["2: P004 `not_fired` must not be empty"]),
        (
            "tests:\n - name: t\n   expect:\n     fired: [lwo]\n     not_fired: {atack: null}",
            [
                "4: T001 no rule 'lwo' in the policy; did you mean 'low'?",
                "5: T001 no rule 'atack' in the policy; did you mean 'attack'?",
            ],
        ),
        (
            "tests:\n - {name: t, expect: {not_fired: {low: event.country == 'ESP'}}}",
            [
                (
                    "2: T004 rule 'low' has no condition \"event.country == 'ESP'\"; "
                    "did you mean 'event.country == \"ESP\"'?"
                )
            ],
        ),
        (
            "tests:\n - name: t\n   event:\n     liveness:\n       scor: 1\n   expect: {fired: [low]}",
            ["5: P002 unknown key 'scor'; did you mean 'score'?"],
        ),
        (
            (
                "fixtures: {low: {tag: [A]}, text: x}\ntests:\n - {name: t, event: low, expect: {fired: [low]}}\n"
                " - {name: t, event: lo, expect: {fired: [low]}}\n - {name: t, event: text, expect: {fired: [low]}}"
            ),
            [
                "1: P002 unknown key 'tag'; did you mean 'tags'?",
                "1: P004 fixture 'text' must be a mapping to be used here",
                "4: T003 no fixture 'lo'; did you mean 'low'?",
            ],
        ),
        (
            "tests:\n - {name: t, result: {}, expect: {fired: [low]}}",
            ["2: T005 a `result` needs its action: `event: {type: action.<name>}`, or `action: {name: <name>}`"],
        ),
    ],
)
def test_a_test_document_that_cannot_be_meant_is_refused_with_its_place(tests: str, found: list[str]) -> None:
    assert refusal(tests) == found


EXAMPLES = """\
name: p
rules:
  - id: first
    tags: [A]
    stop: true
    examples:
      - {name: fires, event: {tags: [A]}, fires: true}
      - {event: {tags: [B]}, fires: true}
  - id: second
    on: data.updated
    when: [event.liveness.score < 60.0]
    examples:
      - {name: "yes", event: {liveness: {score: 3}}, fires: true}
      - {name: open, fires: null}
      - {name: also open, fires: undecided}
      - {name: not so, event: {liveness: {score: 3}}, fires: false}
      - {name: stopped, event: {tags: [A], liveness: {score: 3}}, fires: true}
"""


def test_examples_are_judged_by_their_rule_in_the_whole_policy() -> None:
    document = read_yaml(EXAMPLES, "p.yaml")
    policy = compile_policy([document], ACTIONS)
    results = run_cases(policy, example_cases(document))
    assert [(result.case.line, result.case.name, [one.actual for one in result.failures]) for result in results] == [
        (7, "first: fires", []),
        (8, "first: example 2", ["not looked at: its tags do not match; the event has B"]),
        (13, "second: yes", []),
        (14, "second: open", []),
        (15, "second: also open", []),
        (16, "second: not so", ["fires"]),
        (17, "second: stopped", ["not looked at: rule first, which comes before it, fired and has `stop: true`"]),
    ]


def test_an_example_with_a_field_that_no_event_has_is_refused() -> None:
    document = read_yaml("rules: [{id: a, examples: [{event: {tagz: [A]}, fires: true}]}]", "p.yaml")
    with pytest.raises(ConfigurationError, match=r"p\.yaml:1:\d+: error P002 unknown key 'tagz'; did you mean 'tags'"):
        example_cases(document)


def test_coverage_counts_rules_that_fired_and_conditions_seen_both_ways() -> None:
    low, missing = "{tags: [LOW], liveness: {score: 41}, country: ESP}", "{tags: [LOW], country: EST}"
    results = ran(
        f"tests:\n - {{name: a, event: {low}, expect: {{fired: [low]}}}}\n"
        f" - {{name: b, event: {missing}, expect: {{fired: []}}}}"
    )
    coverage = coverage_of(policy_from(POLICY), [result.decision for result in results])
    assert [(rule.rule, rule.fired) for rule in coverage.rules] == [
        ("attack", 0),
        ("low", 1),
        ("trial", 2),
        ("ring", 0),
    ]
    assert [(each.true, each.false, each.undecided) for each in coverage.conditions] == [
        (1, 0, 1),
        (1, 1, 0),
        (0, 0, 0),
    ]
    assert (coverage.rules_percent, round(coverage.conditions_percent)) == (50.0, 33)


def test_a_policy_without_conditions_is_covered_whole() -> None:
    assert coverage_of(policy_from("rules: [{id: a}]"), []).conditions_percent == 100.0
