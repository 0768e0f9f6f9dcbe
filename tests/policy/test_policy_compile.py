"""The policy as a version: its name, its hash, what is kept of it."""

from __future__ import annotations

import hashlib
import json

import pytest

from receiver.errors import ConfigurationError
from receiver.policy.codes import CODES
from receiver.policy.compile import compile_policy
from receiver.policy.decide import decide
from receiver.policy.explain import decision_document
from receiver.yamltext import read_yaml
from tests.support.policies import ACTIONS, decision_on, event_of, policy_from

ONE = "name: one\nrules: [{id: a}]\n"
TWO = "name: two\nmode: shadow\nrules: [{id: b}]\n"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_is_known_by_its_text() -> None:
    policy = policy_from(ONE)
    assert (policy.ref.name, policy.ref.sha256, policy.ref.mode) == ("one", _sha256(ONE), "enforce")
    assert policy.text == ONE


def test_several_files_are_one_policy() -> None:
    """Its hash is that of their hashes; it is in shadow only if all are."""
    policy = policy_from(ONE, TWO)
    assert policy.ref.name == "one+two"
    assert policy.ref.sha256 == _sha256(f"{_sha256(ONE)}\n{_sha256(TWO)}")
    assert policy.ref.mode == "enforce"
    assert json.loads(policy.text) == [ONE, TWO]
    assert [(rule.id, rule.mode, rule.order) for rule in policy.rules] == [("a", "enforce", 0), ("b", "shadow", 1)]


def test_an_inline_policy_is_known_by_its_value() -> None:
    """Comments and the rest of config.yaml do not change it."""
    config = "server: {port: 1}\npolicy:\n  # a comment\n  rules: [{id: é}]\n  name: x\n".replace("é", "a")
    policy = compile_policy([read_yaml(config, "config.yaml").below(("policy",))], ACTIONS, inline=True)
    assert policy.text == '{"name":"x","rules":[{"id":"a"}]}'
    assert policy.ref.sha256 == _sha256(policy.text)
    assert policy.rules[0].line == 4


def test_problems_of_an_inline_policy_name_the_lines_of_the_file_it_stands_in() -> None:
    config = "server: {port: 1}\npolicy:\n  rules:\n    - id: a\n      when:\n        - event.status ==\n"
    with pytest.raises(ConfigurationError) as caught:
        compile_policy([read_yaml(config, "config.yaml").below(("policy",))], ACTIONS, inline=True)
    (problem,) = [each for each in caught.value.problems if each.severity == "error"]
    assert (problem.line, problem.code) == (6, "P020")


def test_problems_of_all_files_come_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy_from("rules: [{id: a, whne: x}]", "rules: [{id: b, then: [nope: {}]}]", "rules: [{id: a}]")
    errors = [problem for problem in caught.value.problems if problem.severity == "error"]
    assert [(problem.path, problem.code) for problem in errors] == [
        ("policy.yaml", "P002"),
        ("policy1.yaml", "P031"),
        ("policy2.yaml", "P010"),
    ]


def test_no_documents_decide_nothing() -> None:
    decision = decide(event_of("A"), compile_policy([], ACTIONS))
    assert (decision.outcome, decision.rules, decision.actions) == ("decided", (), ())


def test_without_a_review_action_the_engines_reviews_run_once_per_session() -> None:
    assert compile_policy([read_yaml(ONE, "p")], {}).review_once == "session"


def test_every_code_has_one_meaning_and_the_common_form() -> None:
    assert all(code[0] in "PW" and code[1:].isdigit() and len(code) == 4 for code in CODES)
    assert len(set(CODES.values())) == len(CODES)


def test_the_decision_document() -> None:
    """The shape that API, record and command line share."""
    text = """
        name: face-integrity
        let: {top_face: "max(event.matches.map(m, m.similarity))"}
        rules:
          - id: twin
            tags: [DUPLICATED_FACE]
            when:
              - top_face >= 70.0
              - event.country == "ESP"
            then: [didit.update_status: {status: Declined}]
    """
    policy = policy_from(text)
    event = event_of("DUPLICATED_FACE", matches=[{"similarity": 96.37}])
    assert decision_document(decide(event, policy)) == {
        "outcome": "decided",
        "policy": {"name": "face-integrity", "sha256": policy.ref.sha256, "mode": "enforce"},
        "status": None,
        "rules": [
            {
                "id": "twin",
                "fired": None,
                "mode": "enforce",
                "line": 4,
                "conditions": [
                    {
                        "expr": "top_face >= 70.0",
                        "value": True,
                        "line": 7,
                        "inputs": {"top_face": 96.37},
                        "missing": [],
                    },
                    {
                        "expr": 'event.country == "ESP"',
                        "value": None,
                        "line": 8,
                        "inputs": {},
                        "missing": ["event.country"],
                    },
                ],
            }
        ],
        "values": {"top_face": 96.37},
        "let": [
            {
                "name": "top_face",
                "expr": "max(event.matches.map(m, m.similarity))",
                "value": 96.37,
                "line": 2,
                "inputs": {"event.matches": [{"similarity": 96.37}]},
                "missing": [],
            }
        ],
    }


def test_the_decision_document_of_a_fault_has_the_reason() -> None:
    document = decision_document(decision_on("rules: [{id: a, when: [raw.verdict]}]", event_of(raw={"verdict": "yes"})))
    assert document["outcome"] == "undecided"
    assert document["reason"] == "rule a: `raw.verdict`: a condition must give true or false"
    assert "values" not in document


def test_the_decision_document_is_json() -> None:
    text = "rules: [{id: a, when: ['event.tags == [\"A\"]', event.liveness.score > 1]}]"
    document = decision_document(decision_on(text, event_of("A")))
    assert json.loads(json.dumps(document)) == document
