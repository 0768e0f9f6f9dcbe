"""What `check` knows of our own actions beyond their shapes: what their results can be, what their parameters mean."""

from __future__ import annotations

from typing import Any

import pytest

from handlers import kwikid_wire, verifik_wire
from handlers.specs import SPECS
from receiver.contract import JsonObject, Range, Words
from receiver.errors import ConfigurationError, Problem
from receiver.policies import compile_documents
from receiver.policy.expressions.shapes import Kind, ListOf, Shape, shape_of
from receiver.yamltext import read_yaml

RULE = """
rules:
  - id: a
    on: [{on}]
    on_missing: skip
    examples: [{{fires: true}}]
    when:
      - {condition}
    then: [{then}]
"""


def found(text: str) -> list[Problem]:
    document = read_yaml(text, "policy.yaml")
    try:
        return list(compile_documents([document]).warnings)
    except ConfigurationError as error:
        return list(error.problems)


def found_in(condition: str, *actions: str) -> list[tuple[str, str]]:
    """The codes and messages for a rule on the results of these actions."""
    text = RULE.format(
        on=", ".join(f"action.{name}" for name in actions),
        condition=f'"{condition}"',
        then=", ".join(f"{{{name}: {{}}}}" for name in actions),
    )
    return [(problem.code, problem.message) for problem in found(text)]


VERIFIK, KWIKID, SEARCH = "verifik.liveness", "kwikid.liveness", "didit.face_search"


@pytest.mark.parametrize(
    ("condition", "actions", "code", "message"),
    [
        (
            "result.score < 60.0",
            [VERIFIK],
            "W019",
            "result.score of verifik.liveness goes from 0 to 1: 60.0 may mean 0.6",
        ),
        ("60 > result.score", [VERIFIK], "W019", "result.score of verifik.liveness goes from 0 to 1: 60 may mean 0.6"),
        (
            "result.score < 600",
            [VERIFIK],
            "W019",
            "result.score of verifik.liveness goes from 0 to 1: it is never near 600",
        ),
        (
            "result.score < -1",
            [VERIFIK],
            "W019",
            "result.score of verifik.liveness goes from 0 to 1: it is never near -1",
        ),
        (
            "result.score < 60",
            [KWIKID, VERIFIK],
            "W019",
            "result.score of verifik.liveness goes from 0 to 1: 60 may mean 0.6",
        ),
        (
            "(result.score ?? 0) < 60",
            [VERIFIK],
            "W019",
            "result.score of verifik.liveness goes from 0 to 1: 60 may mean 0.6",
        ),
        (
            "result.matches.exists(m, m.similarity > 0.9)",
            [SEARCH],
            "W019",
            "result.matches[].similarity of didit.face_search goes from 0 to 100: 0.9 may mean 90",
        ),
        ("result.status == 'declined'", [VERIFIK], "W014", "unknown status 'declined'; did you mean 'Declined'?"),
        (
            "result.status == 'Expired'",
            [VERIFIK, KWIKID],
            "W014",
            "result.status of kwikid.liveness is never 'Expired'; what it may be: 'Approved', 'In Review', 'Declined'",
        ),
        (
            "result.status != 'approved'",
            [SEARCH],
            "W014",
            "unknown status of a check 'approved'; did you mean 'Approved'?",
        ),
        ("result.scale == '0-100'", [VERIFIK], "W014", "unknown scale '0-100'; did you mean '0-1'?"),
        ("result.scale == '0-1'", [KWIKID], "W014", "result.scale of kwikid.liveness is always null, never '0-1'"),
        ("result.vendor_reason == 'Fake'", [KWIKID], "W014", "unknown reason 'Fake'; did you mean 'fake'?"),
        (
            "result.tags.exists(t, t == 'LOW_LIVNESS_SCORE')",
            [VERIFIK],
            "W001",
            "unknown tag 'LOW_LIVNESS_SCORE'; did you mean 'LOW_LIVENESS_SCORE'?",
        ),
        (
            "'LIVENESS_FACE_ATTACK' in result.tags",
            [VERIFIK],
            "W001",
            "result.tags[] of verifik.liveness is never 'LIVENESS_FACE_ATTACK'; what it may be: 'LOW_LIVENESS_SCORE', "
            "'NO_FACE_DETECTED', 'MULTIPLE_FACES_DETECTED', 'LOW_FACE_QUALITY', 'LOW_FACE_LUMINANCE'",
        ),
        (
            "'FACE_IN_BLOKLIST' in result.tags",
            [SEARCH],
            "W001",
            "unknown tag 'FACE_IN_BLOKLIST'; did you mean 'FACE_IN_BLOCKLIST'?",
        ),
        (
            "result.warnings.exists(w, w.severity == 'eror')",
            [SEARCH],
            "W014",
            "unknown severity 'eror'; did you mean 'error'?",
        ),
        (
            "result.issuing_state == 'ES'",
            ["didit.id_verification"],
            "W018",
            "result.issuing_state of didit.id_verification is a code of three letters: write 'ESP' for 'ES'",
        ),
        (
            "result.expiration_date > '1/2/2026'",
            ["didit.id_verification"],
            "W020",
            "result.expiration_date of didit.id_verification is text such as '2026-11-30', and '1/2/2026' is not: "
            "write '2026-02-01'",
        ),
        ("result.status > 5", [VERIFIK], "P020", "'>' cannot work on string and int"),
    ],
)
def test_what_a_result_never_is(condition: str, actions: list[str], code: str, message: str) -> None:
    assert found_in(condition, *actions) == [(code, message)]


@pytest.mark.parametrize(
    ("condition", "actions"),
    [
        ("result.score < 0.6", [VERIFIK]),
        ("result.score >= 1", [VERIFIK]),
        ("result.score < 60", [KWIKID]),  # whose scale nobody knows
        ("result.score < 0.6", [KWIKID]),
        ("result.score < 60", ["didit.passive_liveness"]),
        ("(result.scale == '0-1' && result.score < 0.6) || result.score < 60", [KWIKID, VERIFIK]),
        ("action.name == 'kwikid.liveness' && result.score < 60", [KWIKID, VERIFIK]),
        ("'LIVENESS_FACE_ATTACK' in result.tags", [KWIKID, VERIFIK]),
        ("result.status == 'Declined'", [VERIFIK, KWIKID, SEARCH]),
        ("'OUR_OWN_TAG' in result.tags", [SEARCH]),
        ("result.vendor_reason == 'spoof'", [KWIKID]),
        ("result.scale == null", [KWIKID]),
        ("result.extra.status == 'declined'", [SEARCH]),
        ("result.issuing_state in ['ES', 'ESP']", ["didit.id_verification"]),
    ],
)
def test_what_a_result_may_be(condition: str, actions: list[str]) -> None:
    assert found_in(condition, *actions) == []


def test_what_is_known_stands_somewhere_in_the_result() -> None:
    """Else a misspelt place would be looked at never."""
    for name, spec in SPECS.items():
        if spec.result is None:
            assert set(spec.known) <= {"status"}, name
            continue
        for place, known in spec.known.items():
            kind = _at(shape_of(spec.result), place)
            assert kind in ((Kind.NUMBER, Kind.INT) if isinstance(known, Range) else (Kind.STRING,)), (name, place)


def _at(shape: Shape | None, place: str) -> Shape | None:
    for step in place.replace("[]", ".[]").split("."):
        if step == "[]":
            assert isinstance(shape, ListOf), place
            shape = shape.item
        else:
            assert isinstance(shape, dict), place
            shape = shape[step]
    return shape


def _verifik_results() -> list[Any]:
    answers: list[JsonObject] = [
        {"data": {"passed": passed, "liveness_score": score}}
        for passed in (True, False, None)
        for score in (0.0, 0.6, 1.0, None)
        if passed is not None or score is not None
    ]
    reasons = [verifik_wire.liveness_result({}, 0.6, reason) for reason in verifik_wire.REASONS]
    return [*reasons, *(verifik_wire.liveness_result(answer, 0.6, None) for answer in answers)]


def _kwikid_results() -> list[Any]:
    return [
        kwikid_wire.liveness_result({"result": word, "overall_result": whole, "facematch_result": match}, tag)
        for word in ("real", "fake", "odd")
        for whole in ("True", "False", None)
        for match in ("True", "False", "odd")
        for tag in ("LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE")
    ]


@pytest.mark.parametrize(("name", "results"), [(VERIFIK, _verifik_results()), (KWIKID, _kwikid_results())])
def test_what_readers_give_is_what_is_known(name: str, results: list[Any]) -> None:
    known = SPECS[name].known
    for place in ("status", "tags[]", "warnings[].tag", "warnings[].severity", "scale"):
        words = known[place]
        assert isinstance(words, Words)
        assert words.closed
        given = {word for result in results for word in _values(result, place) if word is not None}
        assert given <= set(words.words)
        if place in ("status", "tags[]", "scale"):
            assert given == set(words.words), "a word that is never given is none"


def _values(result: Any, place: str) -> list[Any]:
    first, _, rest = place.partition("[]")
    return [item[rest[1:]] if rest else item for item in result[first]] if first != place else [result[place]]


CALL = """
rules:
  - id: a
    tags: [A]
    when: [event.stale]
    examples: [{fires: false}]
    then:
      - CALL
"""


def in_call(call: str) -> list[tuple[str, str, str]]:
    """What is found in one action, with what stands at its place."""
    text = CALL.replace("CALL", call)
    return [
        (each.code, text.splitlines()[each.line - 1][each.column - 1 :].split(",")[0].rstrip("}"), each.message)
        for each in found(text)
    ]


@pytest.mark.parametrize(
    ("call", "code", "at", "message"),
    [
        (
            "didit.face_search: {min_similarity: 0.7}",
            "W019",
            "0.7",
            "`min_similarity` goes from 0 to 100: 0.7 may mean 70",
        ),
        (
            "didit.passive_liveness: {face_liveness_score_decline_threshold: 0.3}",
            "W019",
            "0.3",
            "`face_liveness_score_decline_threshold` goes from 0 to 100: 0.3 may mean 30",
        ),
        (
            "didit.list_add: {entry_type: phone, from_session: true, value: '{{ event.phone }}'}",
            "P034",
            "true",
            "`didit.list_add`: give either value or from_session: true, not both",
        ),
        (
            "didit.list_add: {entry_type: ip_address, value: not an ip, comment: '{{ event.status }}'}",
            "P034",
            "not an ip",
            "`didit.list_add`: value must be an IP address or a range such as 198.51.100.0/24",
        ),
        (
            "didit.update_status: {status: Declined, send_email: true, comment: '{{ event.status }}'}",
            "P034",
            "true",
            "`didit.update_status`: send_email needs email_address",
        ),
    ],
)
def test_parameters_that_cannot_be_meant(call: str, code: str, at: str, message: str) -> None:
    assert in_call(call) == [(code, at, message)]


@pytest.mark.parametrize(
    "call",
    [
        "didit.face_search: {min_similarity: 1}",
        "didit.face_search: {min_similarity: 0}",
        "kwikid.liveness: {facematch_threshold: 0.6}",
        "verifik.liveness: {liveness_min_score: 0.6}",
        "didit.list_add: {entry_type: ip_address, value: 198.51.100.24}",
        "didit.list_add: {entry_type: ip_address, value: '2001:db8::/32'}",
        "didit.list_add: {entry_type: ip_address, value: 198.51.100.24/24}",
        "didit.list_add: {entry_type: ip_address, value: '{{ raw.ip }}'}",
        "didit.list_add: {entry_type: ip_address, value: '{{ raw.ip }}', from_session: '{{ raw.ours }}'}",
        "didit.list_add: {entry_type: key, value: not an ip}",
        "didit.update_status: {status: '{{ raw.s }}', nodes_to_resubmit: [{node_id: node, feature: OCR}]}",
    ],
)
def test_parameters_that_may_be_meant(call: str) -> None:
    assert in_call(call) == []


def test_a_boolean_word_has_one_cure() -> None:
    said = "`face` must be true or false, not text: write true, without quotes"
    assert in_call("didit.blocklist_add: {face: yes}") == [("P034", "yes", said)]
    (other,) = in_call("review: {queue: yes, reason: r}")
    assert other[0] == "W002"
