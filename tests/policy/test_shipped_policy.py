"""The policy that ships in config.yaml: no findings, and every rule does what its examples say."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.registry import SPECS
from receiver.policy.compile import compile_policy
from receiver.policy.coverage import coverage_of
from receiver.policy.suite import SUITE_CODES, Case, example_cases, suite_cases, suite_of
from receiver.policy.testing import run_cases
from receiver.vendors.tags import KNOWN_TAGS
from receiver.yamltext import read_yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config.yaml"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENT = read_yaml(CONFIG.read_text(encoding="utf-8"), "config.yaml").below(("policy",))
POLICY = compile_policy([DOCUMENT], SPECS, known_tags=KNOWN_TAGS, inline=True)
CASES = example_cases(DOCUMENT)


def test_it_has_no_findings() -> None:
    assert POLICY.warnings == ()


def test_every_rule_has_examples_that_fire() -> None:
    coverage = coverage_of(POLICY, [result.decision for result in run_cases(POLICY, CASES)])
    assert [rule.rule for rule in coverage.rules if not rule.fired] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_does_what_its_example_says(case: Case) -> None:
    assert run_cases(POLICY, [case])[0].failures == ()


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
