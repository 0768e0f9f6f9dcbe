"""The record that bench/audit.py measures is a whole one: were it not, its figures would be those of something else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from receiver.audit.note import Signer
from receiver.store.signing import read_or_make
from tests.support.tampering import query, verified

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = 2000


@pytest.fixture(scope="module")
def year() -> Any:
    """The script beside the others in bench/, which are no package."""
    spec = importlib.util.spec_from_file_location("audit_year", ROOT / "bench" / "audit_year.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("encryption", [True, False])
def test_a_year_of_the_bench_is_intact_and_in_proportion(year: Any, tmp_path: Path, encryption: bool) -> None:
    entries_per_second, cpu = year.fill(tmp_path, ENTRIES, encryption=encryption)
    assert min(entries_per_second, cpu) > 0
    ((origin,),) = query(tmp_path, "SELECT value FROM meta WHERE name = 'origin'")
    key = Signer(origin, read_or_make(tmp_path / "signing.key", signed_before=True)).verifier
    verdict = verified(tmp_path, key)
    assert [str(finding) for finding in verdict.findings] == []
    assert ENTRIES <= verdict.size < ENTRIES + 8
    kinds = dict(query(tmp_path, "SELECT kind, count(*) FROM entry GROUP BY 1"))
    assert kinds.keys() >= {"event", "decision", "action", "review", "policy"}
    assert 2.5 < verdict.size / kinds["event"] < 4
    assert kinds["decision"] == kinds["event"]
    bodies = query(tmp_path, "SELECT count(*) FROM payload WHERE body = ?", year.BODY)
    assert bodies == [(0 if encryption else kinds["event"],)]
