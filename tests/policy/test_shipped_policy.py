"""The policy that ships in config.yaml: no findings, every rule does what its examples say, and its promises hold for
every tag that the vendor documents, alone and in company, whatever else an event holds.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from handlers.registry import SPECS
from receiver.contract import Decision, PlannedAction
from receiver.policy.compile import compile_policy
from receiver.policy.coverage import coverage_of
from receiver.policy.decide import decide
from receiver.policy.sample import PartialEvent, sample_event
from receiver.policy.suite import SUITE_CODES, Case, example_cases, suite_cases, suite_of
from receiver.policy.testing import run_cases
from receiver.vendors.didit import normalise
from receiver.vendors.tags import KNOWN_TAGS
from receiver.yamltext import read_yaml
from tests.support.didit_wire import sample, sample_names

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config.yaml"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENT = read_yaml(CONFIG.read_text(encoding="utf-8"), "config.yaml").below(("policy",))
POLICY = compile_policy([DOCUMENT], SPECS, known_tags=KNOWN_TAGS, inline=True)
CASES = example_cases(DOCUMENT)
RULES: list[dict[str, Any]] = DOCUMENT.value["rules"]  # type: ignore[call-overload,index,assignment]  # a policy document
LISTS: dict[str, list[str]] = DOCUMENT.value["lists"]  # type: ignore[call-overload,index,assignment]

TAGS = [*sorted(KNOWN_TAGS), "TAG_OF_TOMORROW"]
Tags: TypeAlias = "dict[str, str | None]"

STATUSES: list[str | None] = ["Approved", "Declined", "In Review", "In Progress", "Resubmitted", "Abandoned", None]
PROOF = ["LIVENESS_FACE_ATTACK", "FACE_IN_BLOCKLIST", "FRONT_CAMERA_FACE_IN_BLOCKLIST", "ID_DOCUMENT_IN_BLOCKLIST"]
POSSIBLE = [tag for tag in TAGS if tag.startswith("POSSIBLE_")]
ANSWERS = {"review", "label"}


def match(**fields: Any) -> dict[str, Any]:
    return {"session_id": "earlier", "similarity": 95.0, "vendor_data": "c-2", "status": "Approved", **fields}


RICH: dict[str, Any] = {
    "vendor_data": "c-1",
    "country": "EST",
    "liveness": {"status": "Approved", "score": 98.0, "age": 31.0},
    "face_match": {"status": "Approved", "score": 93.0},
    "document": {"type": "Passport", "number": "X1", "issuing_state": "EST", "age": 33},
    "ip": {"country": "EE", "is_vpn": False, "is_datacenter": False},
    "aml": {"score": 12.0, "total_hits": 0},
}
SURROUNDINGS: list[dict[str, Any]] = [
    {},
    RICH,
    {**RICH, "matches": [match()]},
    {**RICH, "country": "ESP", "matches": [match(status="In Review")]},
    {**RICH, "matches": [match(similarity=40.0), match(similarity=None)]},
    {**RICH, "matches": [match(vendor_data="c-1")]},
    {**RICH, "country": "PRK", "liveness": {"score": 3.0, "age": 12.0}, "ip": {"is_vpn": True, "is_datacenter": True}},
    {**RICH, "document": {"age": 15}, "aml": {"score": 99.0, "total_hits": 4}},
]
"""From an event that holds nothing but its tags to one where everything looks bad: what promises must not hang on."""


def decided(tags: Tags, status: str | None, more: dict[str, Any], raw: Any = None) -> Decision:
    """The decision on an event with these tags, each of a severity."""
    warnings = [{"tag": tag, "severity": severity} for tag, severity in tags.items()]
    partial = PartialEvent.model_validate({**more, "status": status, "warnings": warnings})
    decision = decide(sample_event(partial, raw=raw), POLICY)
    assert decision.outcome == "decided", (tags, decision.reason)
    return decision


def under_any_circumstances(tags: Tags, statuses: list[str | None] = STATUSES) -> Iterator[tuple[str | None, Decision]]:
    for status, more in product(statuses, SURROUNDINGS):
        yield status, decided(tags, status, more)


def each(tags: Iterable[str], *severities: str | None) -> list[Tags]:
    """Every tag alone."""
    return [{tag: severity} for tag in tags for severity in severities]


def company(seed: int, among: list[str], severities: list[str | None]) -> Iterator[Tags]:
    """Random sets of two to six tags, each with a severity."""
    drawn = random.Random(seed)
    for _ in range(12):
        yield {tag: drawn.choice(severities) for tag in drawn.sample(among, min(len(among), drawn.randint(2, 6)))}


def planned(decision: Decision, name: str) -> list[PlannedAction]:
    """What would run without a person's approval."""
    return [action for action in decision.actions if action.name == name and action.state == "planned"]


# what it says of itself


def test_it_has_no_findings() -> None:
    assert POLICY.warnings == ()


def test_the_examples_show_every_rule_fire_and_every_condition_true_and_false() -> None:
    coverage = coverage_of(POLICY, [result.decision for result in run_cases(POLICY, CASES)])
    assert [rule.rule for rule in coverage.rules if not rule.fired] == []
    assert [(each.line, each.expr) for each in coverage.conditions if not each.covered] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_does_what_its_example_says(case: Case) -> None:
    assert run_cases(POLICY, [case])[0].failures == ()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["id"]))
def test_every_rule_says_why_and_shows_both_outcomes(rule: dict[str, Any]) -> None:
    assert len(rule["description"]) > 40
    assert rule["description"].endswith(".")
    outcomes = {example["fires"] for example in rule["examples"]}
    assert {True, False} <= outcomes
    assert all(example["name"] for example in rule["examples"])


def test_it_is_a_policy_worth_having() -> None:
    assert len(RULES) >= 24
    assert f"a policy to start from: {len(RULES)} rules" in README
    named = {tag for tags in LISTS.values() for tag in tags} | {
        tag
        for rule in RULES
        for tag in (rule["tags"] if isinstance(rule.get("tags"), list) else (rule.get("tags") or {}).get("any") or [])
    }
    assert len(named & KNOWN_TAGS.keys()) > 90
    assert "status_order" in DOCUMENT.value  # type: ignore[operator]  # a policy document


def test_the_test_document_in_the_readme_passes_on_it() -> None:
    section = README[README.index("### Test a policy") :]
    text = section[section.index("```yaml\n") + 8 : section.index("\n```\n")]
    document = read_yaml(text, "README.md")
    results = run_cases(POLICY, suite_cases(document, suite_of(document), POLICY))
    assert [(result.case.name, result.failures) for result in results] == [
        ("a near twin is searched for", ()),
        ("not in trusted corridors", ()),
    ]


@pytest.mark.parametrize("code", sorted(SUITE_CODES))
def test_every_code_of_test_documents_is_in_the_readme(code: str) -> None:
    assert f"| `{code}` |" in README


# what it promises


def test_an_event_without_warnings_asks_for_nothing() -> None:
    for status, more in product(STATUSES, SURROUNDINGS):
        decision = decided({}, status, more)
        if more.get("country") == "PRK":  # on the list of states that call for more care
            assert {action.name for action in decision.actions} <= {"review", "label"}
        else:
            assert [action.params for action in decision.actions if action.params != {"add": ["clean"]}] == []
        assert decision.status is None


@pytest.mark.parametrize("tag", TAGS)
def test_an_error_never_goes_without_an_answer(tag: str) -> None:
    for status, decision in under_any_circumstances({tag: "error"}):
        assert [action for action in decision.actions if action.state != "skipped"], (status, decision.rules)


def test_nor_do_several_and_each_that_no_rule_names_reaches_a_person() -> None:
    for tags in company(1, TAGS, ["error"]):
        for _, decision in under_any_circumstances(tags):
            assert [action for action in decision.actions if action.state != "skipped"], tags
    for tags in company(2, TAGS, ["error", "warning"]):
        named = {*LISTS["has_a_rule"], *LISTS["retake_face"], *LISTS["retake_document"]}
        if tags.keys() - named and not tags.keys() & {"LIVENESS_FACE_ATTACK"}:
            for _, decision in under_any_circumstances(tags):
                assert planned(decision, "review"), tags


@pytest.mark.parametrize("tag", PROOF)
@pytest.mark.parametrize("severity", ["error", "warning", None])
def test_an_attack_or_a_blocked_identity_always_ends_declined(tag: str, severity: str | None) -> None:
    for others in [dict[str, str | None](), *company(3, TAGS, ["error", "warning", "information", None])]:
        for status, decision in under_any_circumstances({**others, tag: severity}):
            assert decision.status == (None if status == "Declined" else "Declined"), (others, status)


def test_an_attack_blocks_the_face_and_nothing_else_ever_blocks_by_itself() -> None:
    for status, decision in under_any_circumstances({"LIVENESS_FACE_ATTACK": "error"}):
        assert [action.params for action in planned(decision, "didit.blocklist_add")] == [{"face": True}], status
    for tags in company(4, [tag for tag in TAGS if tag != "LIVENESS_FACE_ATTACK"], ["error", "warning", "information"]):
        for _, decision in under_any_circumstances(tags):
            assert planned(decision, "didit.blocklist_add") == [], tags


def test_what_is_only_possible_declines_and_blocks_nobody() -> None:
    assert len(POSSIBLE) >= 4
    for tags in [
        *each(POSSIBLE, "error", "warning", "information", None),
        *company(5, POSSIBLE, ["error", "warning", "information", None]),
    ]:
        for status, decision in under_any_circumstances(tags):
            assert decision.status is None, (tags, status)
            assert planned(decision, "didit.blocklist_add") == [], tags


def test_information_alone_declines_nobody() -> None:
    mild = [tag for tag in TAGS if tag not in PROOF]  # a proof is one, whatever a workflow is set to call it
    for tags in [*each(mild, "information"), *company(6, mild, ["information"])]:
        for status, decision in under_any_circumstances(tags, ["Approved", "In Review"]):
            assert decision.status != "Declined", (tags, status)


def test_the_only_reasons_to_decline_are_proof_and_a_document_that_says_too_young() -> None:
    for tags in [*each(TAGS, "error"), *company(7, TAGS, ["error", "warning", "information"])]:
        for more in SURROUNDINGS:
            decision = decided(tags, "In Review", more)
            if decision.status == "Declined":
                too_young = more.get("document", {}).get("age") == 15
                assert tags.keys() & {*PROOF} or (
                    too_young and tags.keys() & {"MINIMUM_AGE_NOT_MET", "AGE_BELOW_MINIMUM"}
                )


def test_another_try_is_only_for_those_against_whom_nothing_else_is_said() -> None:
    honest = {*LISTS["retake_face"], *LISTS["retake_document"], *LISTS["harmless"]}
    retakes = 0
    for tags in [
        *each(honest, "error"),
        *company(8, TAGS, ["error"]),
        *company(9, sorted(honest), ["error", "information"]),
    ]:
        for status, decision in under_any_circumstances(tags):
            if decision.status == "Resubmitted":
                retakes += 1
                assert tags.keys() <= honest
                assert all(tags[tag] == "information" for tag in tags.keys() & {*LISTS["harmless"]})
                assert status in {"Declined", "In Review", "Abandoned"}
    assert retakes > 100


def test_a_final_status_is_never_set_again_and_nobody_is_approved() -> None:
    for tags in company(10, TAGS, ["error", "warning", "information"]):
        for status, decision in under_any_circumstances(tags):
            assert decision.status is None or decision.status != status
            assert decision.status in {None, "Declined", "Resubmitted"}


def test_what_a_person_approved_is_neither_fought_nor_asked_again() -> None:
    raw = {"decision": {"reviews": [{"new_status": "Declined"}, {"new_status": "Approved"}]}}
    for tags in [*each(TAGS, "error"), *company(11, TAGS, ["error", "warning", "information"])]:
        for more in SURROUNDINGS:
            decision = decided(tags, "Approved", more, raw)
            assert decision.status is None
            reviews = [action.params["queue"] for action in planned(decision, "review")]
            assert reviews == (["second-look"] if "LIVENESS_FACE_ATTACK" in tags else [])
            assert {action.name for action in decision.actions if action.state == "planned"} <= ANSWERS


def test_every_destructive_step_has_a_limit_and_waits_for_a_person_unless_there_is_proof() -> None:
    for rule in POLICY.rules:
        destructive = [step for step in rule.actions if SPECS[step.name].destructive]
        if destructive:
            assert rule.limit is not None, rule.id
        for step in destructive:
            proven = rule.id in {"attack-block", "proven-decline", "underage", "retake-face", "retake-document"}
            assert step.needs_approval is not proven, (rule.id, step.name)


@pytest.mark.parametrize("tag", TAGS)
def test_an_older_event_never_touches_the_vendor(tag: str) -> None:
    """It is told to a person, or leaves a mark; what is known since stands."""
    for more in SURROUNDINGS:
        decision = decided({tag: "error"}, "In Review", {**more, "stale": True})
        assert {action.name for action in decision.actions} <= ANSWERS


@pytest.mark.parametrize("name", ["no-such-tag", "", "LIVENESS_FACE_ATTACK "])
def test_a_tag_that_nobody_knows_reaches_a_person(name: str) -> None:
    for _, decision in under_any_circumstances({name or "?": "error"}):
        assert planned(decision, "review")


SENSIBLE: dict[str, tuple[set[str], str | None]] = {
    "accents_and_numbers": ({"clean-approval"}, None),
    "console_test": (set(), None),
    "entity_flat": (set(), None),
    "v2_approved": (set(), None),  # a blurred picture, and all the same approved
    "v3_attack": ({"attack-block"}, None),
    "v3_duplicate": ({"same-face-another-user"}, None),  # of a trusted state, so nothing is searched
    "v3_in_review": ({"duplicate-held-up", "low-face-match-review", "aml-possible", "weak-signal"}, None),
    "v3_business": ({"anything-else"}, None),
    "v3_data_updated": ({"corrected-after-approval"}, None),
}


@pytest.mark.parametrize("name", sample_names())
def test_stored_payloads_are_decided_sensibly(name: str) -> None:
    decision = decide(normalise("didit", sample(name)), POLICY)
    assert decision.outcome == "decided"
    fired = {rule.id for rule in decision.rules if rule.fired}
    if name in SENSIBLE:
        assert (fired, decision.status) == SENSIBLE[name]
    assert [action for action in decision.actions if SPECS[action.name].destructive] == [] or name == "v3_attack"
