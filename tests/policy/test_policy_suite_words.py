"""Slips in test documents: every finding at once, and words that only resemble what the policy says."""

from __future__ import annotations

import pytest

from receiver.errors import ConfigurationError
from receiver.policy.suite import suite_cases, suite_of
from receiver.yamltext import read_yaml
from tests.support.policies import policy_from

POLICY = "rules: [{id: low, tags: [LOW_LIVENESS_SCORE], then: [didit.update_status: {status: Declined}]}]"


def _codes(text: str) -> list[str]:
    document = read_yaml(text, "x_test.yaml")
    try:
        suite_cases(document, suite_of(document), policy_from(POLICY), ["LIVENESS_FACE_ATTACK"])
    except ConfigurationError as error:
        return [problem.code for problem in error.problems]
    return []


def test_all_findings_come_at_once() -> None:
    text = "tests:\n- {name: a, event: nofix, expect: {statu: x, fired: [lwo]}}\n- {name: 7, expect: {fired: [hgh]}}"
    assert _codes(text)[:3] == ["T003", "P002", "T001"]
    assert "P004" in _codes(text)


@pytest.mark.parametrize(
    ("case", "codes"),
    [
        ("{name: b, expect: {status: declined}}", ["T006"]),
        ("{name: b, expect: {actions: [didit.update_statu]}}", ["T007"]),
        ("{name: b, event: {tags: [LIVENESS_FACE_ATTAK]}, expect: {fired: []}}", ["T008"]),
        ("{name: b, event: {tags: [LOW_LIVENESS_SCORE, OTHER]}, expect: {status: Weird, actions: [notify]}}", []),
        ("{name: b, expect: {status: Declined, actions: [didit.update_status, review]}}", []),
    ],
)
def test_words_that_resemble_what_is_meant_are_found(case: str, codes: list[str]) -> None:
    assert _codes(f"tests: [{case}]") == codes
