"""The table of every call is whole, and it cannot be had by saying so: `bench/calls.py` as a real command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from handlers.specs import SPECS

ROOT = Path(__file__).parent.parent

LIES = """
import pytest

@pytest.mark.shows("success", action="didit.decision")
@pytest.mark.skip(reason="not today")
def test_skipped(): ...

@pytest.mark.shows("call", action="didit.decision")
@pytest.mark.xfail
def test_known_to_fail(): raise AssertionError

@pytest.mark.shows("rule", action="didit.decisions")
def test_of_no_action(): ...

@pytest.mark.shows("rule")
@pytest.mark.parametrize("name", ["didit.face_search"])
def test_by_its_parameter(name): ...

@pytest.mark.shows("error", action="notify")
def test_of_no_kind(): ...

@pytest.mark.shows("crash", action="http.post")
def test_that_fails(): raise AssertionError
"""


def table(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / "calls.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def counts(line: str) -> list[int]:
    """The numbers of a line, without those by kind."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return [int(cell) for cell in (*cells[1:3], *cells[4:])]


def test_every_call_is_shown_in_every_way() -> None:
    done = table()
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"^\| `.*$", done.stdout, re.MULTILINE)
    named = sorted(line.split("`")[1] for line in lines)
    assert named == sorted(name for name, spec in SPECS.items() if spec.vendor or spec.target)
    assert all(min(counts(line)) >= 1 for line in lines)
    (total,) = re.findall(r"^\| \d+ actions .*$", done.stdout, re.MULTILINE)
    assert counts(total) == [sum(column) for column in zip(*map(counts, lines), strict=True)]


def test_what_is_not_shown_is_said_and_ends_with_1(tmp_path: Path) -> None:
    """A test that is skipped, expected to fail, about no action or about no kind of error shows nothing."""
    (tmp_path / "test_lies.py").write_text(LIES, encoding="utf-8")
    done = table(str(tmp_path))
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert {"didit.decision: no success", "didit.decision: no call", "didit.balance: no oversized"} <= set(told)
    assert "didit.face_search: no rule" not in told
    assert "http.post: no crash" not in told
    assert sum("shows 'rule' '' of 'didit.decisions'" in line for line in told) == 1
    assert sum("shows 'error' '' of 'notify'" in line for line in told) == 1


def test_tests_that_fail_show_nothing_when_they_are_run(tmp_path: Path) -> None:
    (tmp_path / "test_lies.py").write_text(LIES, encoding="utf-8")
    assert "::test_that_fails" in table("--run", str(tmp_path)).stderr
