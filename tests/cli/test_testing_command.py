"""`hookwarden test` as people run it: real processes on real files."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.support.processes import run

POLICY = """\
version: 1
name: low
rules:
  - id: low
    tags: [LOW_LIVENESS_SCORE]
    when:
      - event.liveness.score < 60.0
    then:
      - review: {queue: liveness, reason: low}
    examples:
      - {name: below, event: {tags: [LOW_LIVENESS_SCORE], liveness: {score: 41}}, fires: true}
"""
TESTS = """\
policy: low.yaml
fixtures:
  low: &low {tags: [LOW_LIVENESS_SCORE]}
tests:
  - name: above
    event: {<<: *low, liveness: {score: 77}}
    expect: {not_fired: {low: event.liveness.score < 60.0}, actions: []}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy with its tests beside it."""
    (tmp_path / "low.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "low_test.yaml").write_text(TESTS, encoding="utf-8")
    return tmp_path


def test_what_init_writes_passes_its_own_examples(tmp_path: Path) -> None:
    assert run("init", ".", cwd=tmp_path).returncode == 0
    done = run("test", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed, 0 failed" in done.stdout
    assert "rules fired (100.0%)" in done.stdout
    assert "conditions seen true and false (100.0%)" in done.stdout


def test_an_inline_policy_and_the_tests_beside_its_configuration_are_run(folder: Path) -> None:
    (folder / "config.yaml").write_text(f"policy:\n{textwrap.indent(POLICY, '  ')}", encoding="utf-8")
    (folder / "low_test.yaml").write_text(TESTS.replace("policy: low.yaml\n", ""), encoding="utf-8")
    (folder / "low.yaml").unlink()
    for arguments in ([], ["low_test.yaml"], ["config.yaml", "low_test.yaml"]):
        done = run("test", *arguments, cwd=folder)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed"), done.stderr


@pytest.mark.parametrize("paths", [["low_test.yaml"], ["."], ["low.yaml", "low_test.yaml"]])
def test_examples_and_test_files_of_one_policy_are_run_together(folder: Path, paths: list[str]) -> None:
    done = run("test", *paths, "--min-coverage", "100", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "low: 1 of 1 rules fired (100.0%), 1 of 1 conditions seen true and false (100.0%)" in done.stdout
    assert done.stdout.endswith("2 passed, 0 failed\n")


def test_a_failure_shows_what_was_expected_what_came_and_the_condition_that_decided(folder: Path) -> None:
    (folder / "low_test.yaml").write_text(TESTS.replace("score: 77", "score: 7"), encoding="utf-8")
    done = run("test", "low_test.yaml", cwd=folder)
    assert done.returncode == 1
    said = done.stdout[done.stdout.index("FAILED") :].splitlines()
    assert said[:6] == [
        "FAILED low_test.yaml:5: above",
        "  expected: low does not fire",
        "  actual:   fires",
        "  rule low (line 4): fires",
        "    line 7: event.liveness.score < 60.0  is true",
        "      event.liveness.score = 7",
    ]
    assert "  expected: actions none" in said
    assert said[-1] == "1 passed, 1 failed"


def test_coverage_below_what_is_asked_for_is_status_1(folder: Path) -> None:
    done = run("test", "low.yaml", "--min-coverage", "80", cwd=folder)
    assert done.returncode == 1
    assert "`event.liveness.score < 60.0` false" in done.stdout
    assert done.stderr == "hookwarden: policy low: 0.0% of conditions covered, at least 80% asked for\n"


def test_json_says_the_same_for_programs(folder: Path) -> None:
    (folder / "low_test.yaml").write_text(TESTS.replace("score: 77", "score: 7"), encoding="utf-8")
    done = run("test", "low_test.yaml", "--json", cwd=folder)
    document = json.loads(done.stdout)
    assert (done.returncode, document["passed"], document["failed"]) == (1, 1, 1)
    assert [(test["name"], test["path"], test["line"], test["passed"]) for test in document["tests"]] == [
        ("low: below", "low.yaml", 11, True),
        ("above", "low_test.yaml", 5, False),
    ]
    failing = document["tests"][1]
    assert failing["failures"][0] == {"expected": "low does not fire", "actual": "fires", "rule": "low"}
    assert failing["decision"]["rules"][0]["conditions"][0]["inputs"] == {"event.liveness.score": 7}
    assert document["coverage"][0]["rules"][0]["conditions"][0]["true"] == 2


def test_junit_parses_and_counts(folder: Path) -> None:
    bad = TESTS.replace("score: 77", "score: 7").replace("name: above", 'name: "<above> & \\u0001"')
    (folder / "low_test.yaml").write_text(bad, encoding="utf-8")
    assert run("test", "low_test.yaml", "--junit", "out.xml", cwd=folder).returncode == 1
    root = Xml.parse(folder / "out.xml").getroot()
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "2", "1")
    assert [suite.get("name") for suite in root] == ["low.yaml", "low_test.yaml"]
    failing = root[1][0]
    assert (failing.get("name"), failing.get("line")) == ("<above> & ?", "5")
    assert failing[0].get("message") == "expected: low does not fire; actual: fires"
    assert "low_test.yaml:5" in (failing[0].text or "")


def test_a_policy_without_example_or_test_fails(folder: Path) -> None:
    (folder / "low.yaml").write_text(POLICY[: POLICY.index("    examples")], encoding="utf-8")
    done = run("test", "low.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "hookwarden: policy low has no example and no test\n")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("low_test.yaml", "policy: low.yaml\ntests: []\n", "low_test.yaml:2:1: error T002 no test is written here"),
        ("low_test.yaml", TESTS.replace("{low: event", "{lwo: event"), "7:26: error T001 no rule 'lwo' in the policy"),
        ("low_test.yaml", TESTS.replace("low.yaml", "gone.yaml"), "gone.yaml:1:1: error C001 the file cannot be read"),
        ("low.yaml", POLICY.replace("fires: true", "fire: true"), "unknown key 'fire'; did you mean 'fires'?"),
        ("low.yaml", POLICY.replace("score: 41", "scor: 41"), "unknown key 'scor'; did you mean 'score'?"),
    ],
)
def test_a_file_that_cannot_be_used_is_status_2_with_its_place(folder: Path, name: str, text: str, said: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    done = run("test", "low.yaml", "low_test.yaml", cwd=folder)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr


def test_the_problems_of_all_files_come_at_once(folder: Path) -> None:
    (folder / "a_test.yaml").write_text("tests: []", encoding="utf-8")
    (folder / "low.yaml").write_text(POLICY.replace("score: 41", "scor: 41"), encoding="utf-8")
    done = run("test", ".", cwd=folder)
    assert done.returncode == 2
    assert "T002" in done.stderr
    assert "'scor'" in done.stderr


def test_a_folder_without_test_files_is_said_so(tmp_path: Path) -> None:
    done = run("test", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "holds no *_test.yaml" in done.stderr
