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

from handlers.specs import SPECS
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
WHOEVER_APPROVED = {"due-diligence", "aml"}  # queues that an approval by hand does not pass by


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
    {**RICH, "country": "ZZZ", "matches": [match(status="In Review")]},
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
        ("not for a mere likeness in trusted corridors", ()),
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


@pytest.mark.parametrize("kind", ["status.updated", "data.updated"])
def test_what_a_person_approved_is_neither_fought_nor_asked_again(kind: str) -> None:
    raw = {"decision": {"reviews": [{"new_status": "Declined"}, {"new_status": "Approved"}]}}
    for tags in [*each(TAGS, "error"), *company(11, TAGS, ["error", "warning", "information"])]:
        for more in SURROUNDINGS:
            decision = decided(tags, "Approved", {**more, "type": kind}, raw)
            assert decision.status is None
            queues = {action.params["queue"] for action in planned(decision, "review")}
            assert ("second-look" in queues) is ("LIVENESS_FACE_ATTACK" in tags and kind == "status.updated")
            assert queues <= {"second-look", "corrections", *WHOEVER_APPROVED}
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
    "v3_duplicate": ({"same-face-another-user", "duplicate-look-closer"}, None),
    "v3_in_review": ({"duplicate-held-up", "low-face-match-review", "aml-possible", "weak-signal"}, None),
    "v3_business": ({"anything-else"}, None),
    "v3_data_updated": ({"corrected-after-approval", "approved-by-a-person"}, None),
}


@pytest.mark.parametrize("name", sample_names())
def test_stored_payloads_are_decided_sensibly(name: str) -> None:
    decision = decide(normalise("didit", sample(name)), POLICY)
    assert decision.outcome == "decided"
    fired = {rule.id for rule in decision.rules if rule.fired}
    if name in SENSIBLE:
        assert (fired, decision.status) == SENSIBLE[name]
    assert [action for action in decision.actions if SPECS[action.name].destructive] == [] or name == "v3_attack"


# what a review of it found, as webhooks


def webhook(
    status: str | None, reviews: Any, *warnings: tuple[str, str], kind: str = "status.updated", **more: Any
) -> Decision:
    """On a webhook whose liveness check has these warnings (tag, severity); `more` are other fields of its decision."""
    found: list[Any] = [{"risk": tag, "log_type": severity, "feature": "LIVENESS"} for tag, severity in warnings]
    check: dict[str, Any] = {"status": status, "score": 95, "warnings": found, **more.pop("check", {})}
    decision = {"session_id": "s", "status": status, "reviews": reviews, "liveness_checks": [check], **more}
    payload: dict[str, Any] = {
        "event_id": "y",
        "webhook_type": kind,
        "session_id": "s",
        "vendor_data": "me",
        "created_at": 1,
    }
    return decide(normalise("didit", {**payload, "status": status, "decision": decision}), POLICY)


def said(*statuses: str, at: Iterable[int] | None = None) -> list[dict[str, str]]:
    """Entries of an audit trail, `at` which day of a month each was made."""
    days = [{}] * len(statuses) if at is None else [{"created_at": f"2026-11-{day:02}T09:00:00Z"} for day in at]
    return [{"new_status": status, **day} for status, day in zip(statuses, days, strict=True)]


def fired(decision: Decision) -> set[str]:
    return {rule.id for rule in decision.rules if rule.fired}


ATTACK, BLOCKED = ("LIVENESS_FACE_ATTACK", "error"), ("FACE_IN_BLOCKLIST", "error")
DARK = ("LOW_FACE_LUMINANCE", "warning")


@pytest.mark.parametrize("warning", [ATTACK, BLOCKED])
@pytest.mark.parametrize("kind", ["status.updated", "data.updated"])
def test_a_correction_does_not_decline_whom_a_person_approved(kind: str, warning: tuple[str, str]) -> None:
    decision = webhook("Approved", said("Approved"), warning, kind=kind)
    assert (decision.outcome, decision.status) == ("decided", None)
    assert {action.name for action in decision.actions if action.state == "planned"} <= ANSWERS
    assert "approved-by-a-person" in fired(decision)


LAST_WORDS = [
    (said("Approved"), "Approved"),
    (said("Approved", "Resubmitted"), None),
    (said("Declined", "Approved"), "Approved"),
    (said("Approved", "Declined"), "Declined"),
    (said("Resubmitted", "Approved", at=[3, 2]), None),
    (said("Resubmitted", "Approved", at=[2, 3]), "Approved"),
    (said("Approved", "Resubmitted", at=[3, 2]), "Approved"),
    (said("Approved", "Resubmitted", at=[2, 3]), None),
    (said("Declined", "Approved", at=[3, 2]), "Declined"),
    (said("Approved", "Declined", "Approved", at=[1, 2, 3]), "Approved"),
    (said("Approved", "Declined", "Approved", at=[3, 4, 2]), "Declined"),
    (said("Approved", "In Review", at=[2, 2]), None),  # who was last cannot be told
    ([*said("Approved", at=[2]), {"comment": "called back", "created_at": "2026-11-03T09:00:00Z"}], "Approved"),
    ([{"comment": "looks fine"}, {"comment": None, "new_status": None}], None),
    ([], None),
    (None, None),
]


@pytest.mark.parametrize(("reviews", "last"), LAST_WORDS)
def test_only_the_last_review_counts(reviews: Any, last: str | None) -> None:
    for warning in (ATTACK, BLOCKED):
        decision = webhook("Approved", reviews, warning)
        assert decision.status == (None if last == "Approved" else "Declined")
        assert ("approved-by-a-person" in fired(decision)) is (last == "Approved")
    for status in ("Declined", "In Review"):
        decision = webhook(status, reviews, DARK)
        assert decision.status == (None if last == "Declined" else "Resubmitted")
    assert ("declined-by-a-person" in fired(webhook("Declined", reviews, DARK))) is (last == "Declined")


def test_an_approval_by_hand_does_not_pass_by_due_diligence_and_sanctions() -> None:
    person = [{"status": "Approved", "issuing_state": "PRK"}]
    for score, rule in ((95, "aml-strong"), (85, "aml-possible")):
        warnings = [{"risk": "POSSIBLE_MATCH_FOUND", "log_type": "warning", "feature": "AML"}]
        aml = [{"status": "In Review", "score": score, "total_hits": 1, "warnings": warnings}]
        decision = webhook("Approved", said("Approved"), id_verifications=person, aml_screenings=aml)
        assert fired(decision) == {"country-due-diligence", rule, "approved-by-a-person"}


def test_a_picture_that_passed_is_not_asked_for_again() -> None:
    for tag in (*LISTS["retake_face"], *LISTS["retake_document"]):
        for status in LISTS["may_resubmit"]:
            assert webhook(status, [], (tag, "information")).status is None, tag
            assert webhook(status, [], (tag, "error")).status == "Resubmitted", tag


def test_a_copy_of_a_document_is_no_honest_failure() -> None:
    copies = ("SCREEN_CAPTURE_DETECTED", "PRINTED_COPY_DETECTED")
    for tags in ([copies[0]], [copies[1]], copies, [*copies, "DOCUMENT_EXPIRED"]):
        for status in ("Declined", "In Review", "Approved"):
            decision = webhook(status, [], *[(tag, "error") for tag in tags])
            assert decision.status is None
            assert "documents" in [action.params["queue"] for action in planned(decision, "review")]


@pytest.mark.parametrize("status", ["Approved", "In Review", "Declined", "In Progress", None])
@pytest.mark.parametrize("state", ["ESP", "EST", *LISTS["trusted"]])
@pytest.mark.parametrize("tag", ["DUPLICATED_FACE", "POSSIBLE_DUPLICATED_FACE"])
def test_nearly_the_same_face_is_searched_and_shown_to_a_person(tag: str, state: str, status: str | None) -> None:
    twin = {"session_id": "t", "similarity_percentage": 99, "vendor_data": "other", "status": status}
    person = [{"status": "Approved", "issuing_state": state}]
    for similarity in (99, 90, 89.9):
        matches = [{**twin, "similarity_percentage": similarity}]
        decision = webhook("Approved", [], (tag, "information"), check={"matches": matches}, id_verifications=person)
        searched = similarity >= 90 or state not in LISTS["trusted"]
        assert ("duplicate-look-closer" in fired(decision)) is searched
        assert ("same-face-another-user" in fired(decision)) is (similarity >= 90)


def test_no_state_is_trusted_until_somebody_says_so() -> None:
    assert LISTS["trusted"] == ["ZZZ"]  # for private use: no state's code in ISO 3166


@pytest.mark.parametrize(
    ("more", "clean"),
    [
        ({}, True),
        ({"check": {"score": None}}, True),
        ({"check": {"score": 60}}, True),
        ({"check": {"score": 59.9}}, False),
        ({"check": {"score": 12}}, False),
        ({"aml_screenings": [{"score": 99}]}, False),
        ({"aml_screenings": [{"score": 89.9}]}, True),
        ({"aml_screenings": [{"score": None}]}, True),
        ({"check": {"matches": [{"similarity_percentage": 99, "vendor_data": "other"}]}}, False),
        ({"check": {"matches": [{"similarity_percentage": 99, "vendor_data": "me"}]}}, True),
    ],
)
def test_clean_is_only_what_no_score_speaks_against(more: dict[str, Any], clean: bool) -> None:
    assert fired(webhook("Approved", [], **more)) == ({"clean-approval"} if clean else set())


def test_the_severity_of_another_tag_holds_nobody_for_liveness() -> None:
    hint = ("LOW_LIVENESS_SCORE", "information")
    for other in (("DOCUMENT_EXPIRED", "error"), DARK):
        assert "low-liveness-review" not in fired(webhook("In Review", [], hint, other))
        assert "low-liveness-review" in fired(webhook("In Review", [], hint, other, check={"score": 59}))
    assert "low-liveness-review" in fired(webhook("In Review", [], ("LOW_LIVENESS_SCORE", "warning")))


# nothing in a payload disarms it

ODD: list[Any] = [
    "Approved",
    "",
    0,
    7,
    1.5,
    True,
    False,
    {},
    {"new_status": "Approved"},
    ["Approved"],
    [7],
    [None],
    [[]],
]
ODD += [[*said("Approved"), "x"], [{"new_status": 7}], [{"new_status": ["Approved"], "created_at": {}}]]
ODD += [[{"new_status": "Approved", "created_at": 5}, {"new_status": "Declined", "created_at": "6"}]]
LATER = [status for status in STATUSES if status != "Approved"]


@pytest.mark.parametrize("kind", ["status.updated", "data.updated"])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_stands_in_the_audit_trail_an_attack_ends_declined(odd: Any, kind: str) -> None:
    for status, (tag, severity) in product(LATER, [ATTACK, *[(tag, "error") for tag in PROOF[1:]]]):
        decision = webhook(status, odd, (tag, severity), ("TAG_OF_TOMORROW", "error"), DARK, kind=kind)
        assert decision.outcome == "decided", decision.reason
        assert decision.status == (None if status == "Declined" else "Declined")
        assert bool(planned(decision, "didit.blocklist_add")) is (tag == ATTACK[0])


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("warning", [ATTACK, BLOCKED])
def test_an_approved_attack_with_an_odd_audit_trail_is_declined_or_reaches_a_person(
    odd: Any, warning: tuple[str, str]
) -> None:
    decision = webhook("Approved", odd, warning)
    if decision.outcome == "decided":
        assert decision.status == "Declined"
    else:
        assert [action.params["queue"] for action in planned(decision, "review")] == ["undecided"]


LONG = "A" * 100_000
HOSTILE: list[dict[str, Any]] = [
    {"id_verifications": [{"issuing_state": text, "full_name": text, "document_type": text, "document_number": text}]}
    for text in ("{{ event.status }}", "ZZZ", "'", LONG, "Approved", "LIVENESS_FACE_ATTACK\n- review")
]
HOSTILE += [{"metadata": value} for value in ("x", ["x"], 7, {"test_webhook": True}, {"reviews": said("Approved")})]
HOSTILE += [
    {"expected_details": {"reviews": said("Approved")}, "contact_details": "x", "questionnaire_responses": LONG}
]
HOSTILE += [{"check": {"matches": [{"similarity_percentage": 1e308, "vendor_data": LONG, "status": LONG}] * 20_000}}]


@pytest.mark.parametrize("more", HOSTILE, ids=lambda more: repr(more)[:40])
def test_what_a_person_can_write_into_a_payload_disarms_no_attack_rule(more: dict[str, Any]) -> None:
    for status, warning in product(STATUSES, (ATTACK, BLOCKED)):
        decision = webhook(status, [], warning, ("DUPLICATED_FACE", "error"), **more)
        assert decision.outcome == "decided", decision.reason
        assert decision.status == (None if status == "Declined" else "Declined")


@pytest.mark.parametrize("metadata", ["x", ["x"], 7, True, {"test_webhook": "x"}, {"test_webhook": {}}, None])
def test_metadata_of_any_kind_leaves_a_clean_approval_decided(metadata: Any) -> None:
    event = normalise("didit", {"webhook_type": "status.updated", "status": "Approved", "metadata": metadata})
    assert fired(decide(event, POLICY)) == {"clean-approval"}


def test_what_the_attack_rules_plan_is_out_of_reach_of_later_rules() -> None:
    """They come first, hold no template that a payload could spoil, and stop."""
    first = ["attack-overruled", "proven-decline", "attack-block", "blocklisted-identity"]
    assert [rule["id"] for rule in RULES[:4]] == first
    assert "{{" not in repr([rule["then"] for rule in RULES[:4]])
    for tag in PROOF:
        assert {rule.id for rule in webhook("In Review", [], (tag, "error")).rules} <= {*first}


def test_a_result_event_declines_and_blocks_nobody() -> None:
    found: dict[str, Any] = {
        "session_id": "t",
        "similarity": 99.0,
        "status": "Declined",
        "is_blocklisted": True,
        "vendor_data": "other",
    }
    partial = PartialEvent.model_validate({"type": "action.didit.face_search", "tags": PROOF, "status": "In Review"})
    decision = decide(sample_event(partial, result={"total_matches": 4, "matches": [found] * 4}), POLICY)
    assert fired(decision) == {"duplicate-ring", "search-met-declined"}
    assert [action.name for action in decision.actions if action.state == "planned"] == ["review", "review"]


def test_an_echo_decides_nothing() -> None:
    assert not any(rule.echo for rule in POLICY.rules)
    for tag in PROOF:
        partial = PartialEvent.model_validate({"tags": [tag], "status": "Approved", "echo": True})
        assert decide(sample_event(partial), POLICY).actions == ()


def test_a_long_audit_trail_is_within_the_budget() -> None:
    trail = said(*["Approved", "Declined"] * 40, at=[1 + at % 28 for at in range(80)])
    assert webhook("Approved", trail, ATTACK).outcome == "decided"
    assert webhook("In Review", trail, DARK).outcome == "decided"
