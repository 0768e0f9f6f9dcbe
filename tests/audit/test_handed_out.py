"""Proofs and exports out of a damaged record: what is handed out holds, and what would not hold is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver.audit.export import proved_lines
from receiver.audit.offline import check
from receiver.cli.exporting import _Entries
from receiver.errors import Conflict
from receiver.proofs import covering, entry_document, sound
from receiver.store.sqlite.store import SqliteStore, open_store
from tests.support.store_samples import NOW
from tests.support.tampering import EDITED_LEAF, edit, filled

DAMAGE = {
    "a leaf that was edited": EDITED_LEAF,
    "a leaf stored as text": "UPDATE entry SET leaf = CAST(leaf AS TEXT) || ' ' WHERE idx = 20",
    "a junk note": "UPDATE checkpoint SET note = 'junk'",
    "a tile cut short": "UPDATE tile SET hashes = substr(hashes, 1, 100) WHERE level = 0 AND n = 0",
    "a tile stored as text": "UPDATE tile SET hashes = 'x' WHERE level = 0 AND n = 0",
    "a tile that was edited": (
        "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND n = 0"
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log") / "var"
    store = filled(folder, 20)
    store.close()
    return folder


@pytest.fixture(params=list(DAMAGE))
def store(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[SqliteStore]:
    shutil.copytree(made, tmp_path / "var")
    opened = open_store(tmp_path / "var", clock=lambda: NOW)
    edit(tmp_path / "var", DAMAGE[request.param])
    yield opened
    opened.close()


def test_a_proof_holds_or_is_refused(store: SqliteStore) -> None:
    refused = 0
    for idx in (0, 19, 20, 21, 60):
        try:
            document = entry_document(store, idx)
        except Conflict as fault:
            assert "run `hookwarden audit verify`" in str(fault)  # noqa: PT017  # either way is right
            refused += 1
        else:
            assert check([json.dumps(document)], store.verifier)
    assert refused


@pytest.mark.parametrize("query", ["", "idx:15..25"])
def test_an_export_holds_or_is_refused(store: SqliteStore, query: str) -> None:
    @contextmanager
    def read() -> Iterator[_Entries]:
        with store.read() as reader:
            yield _Entries(reader)

    lines: list[str] = []
    try:
        note, checkpoint = covering(store, 1)
        with sound("the export"):
            lines.extend(proved_lines(read, note, checkpoint, store.verifier, query))
    except Conflict as fault:
        assert "run `hookwarden audit verify`" in str(fault)  # noqa: PT017
        assert not lines or '"end"' not in lines[-1]
    else:
        assert check(lines, store.verifier)
