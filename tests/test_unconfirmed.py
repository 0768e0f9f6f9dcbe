"""The page of what could not be confirmed: what it names exists, and no vendor is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handlers.specs import SPECS, VENDORS
from receiver.signatures.presets import NOT_OFFERED, PRESETS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "handlers" / "UNCONFIRMED.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and "---" not in line]
TESTS = frozenset(
    re.findall(r"def (test_\w+)\(", "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py")))
)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize("row", [row for row in ROWS if not row.endswith("held by |")], ids=lambda row: row[2:40])
def test_every_line_says_why_it_is_safe_and_names_the_test_that_holds_it(row: str) -> None:
    what, said, safe, held = _cells(row)
    assert all((what, said, safe))
    assert re.fullmatch(r"`test_\w+`", held)
    assert held.strip("`") in TESTS


def test_every_action_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:didit|kwikid|verifik)\.\w+)`", PAGE))
    assert named <= set(SPECS)
    assert {name.partition(".")[0] for name in named} == VENDORS


def test_every_parameter_that_is_named_exists() -> None:
    ours = {"min_similarity", "fake_tag", "nodes_to_resubmit", "minimum_age", "limit", "for_application_id"}
    fields = {field for spec in SPECS.values() for field in spec.params.model_fields}
    assert all(f"`{name}" in PAGE for name in ours)
    assert ours <= fields


def test_every_preset_has_its_line_and_every_missing_one_its_reason() -> None:
    section = PAGE.split("## Other senders")[1]
    lines = [_cells(row)[0] for row in section.splitlines() if row.startswith("|")]
    assert sorted(name for line in lines for name in re.findall(r"`(\w+)`", line)) == sorted(PRESETS)
    assert all(name in section.lower() for name in NOT_OFFERED)


def test_the_readme_leads_there() -> None:
    assert "(handlers/UNCONFIRMED.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
