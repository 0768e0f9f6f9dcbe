"""What an honest record goes through, and `audit verify` must find nothing: persons who share a session, data that goes
while actions wait, pruning behind what was verified, and a server that writes all the while.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from receiver.audit.note import Verifier
from receiver.audit.verify import verify
from receiver.audit.walk import Walks
from receiver.erasing import Wanted, erase, find
from receiver.pruning import Limits, prune
from receiver.store.keycheck import KeyEvidence
from receiver.store.shapes import Extent
from receiver.store.sqlite.evidence import EvidenceFile
from receiver.store.sqlite.store import SqliteStore, open_store
from receiver.store.sqlite.walking import walks
from receiver.store.verified import Journal
from tests.support.processes import run
from tests.support.receiver import write_configuration
from tests.support.store_samples import NOW, claim_all, ending, new_event, planned, put, settle

LATER = NOW + 1000
HOUR = 3_600_000
SESSION = "ses-of-two"


def opened(folder: Path) -> SqliteStore:
    return open_store(folder / "var", clock=lambda: LATER, sign_every=0.0)


def gone(store: SqliteStore, subject: str, extent: Extent = "all") -> None:
    ref = find(store, Wanted(subject, None)).ref
    assert ref is not None
    erase(store, ref, extent, "cli:ana", lambda: LATER, "")


def findings(folder: Path, key: Verifier, walking: Walks | None = None) -> list[str]:
    """What verifying finds, with the keys of persons."""
    data_dir = folder / "var"
    record, keys = EvidenceFile(data_dir), KeyEvidence.beside(data_dir, None)
    journal = Journal(data_dir / "checkpoints.log", None)
    try:
        found = verify(record.read, key, journal=journal.notes(), file=True, walks=walking, keys=keys)
        return [str(finding) for finding in found.findings]
    finally:
        record.close()
        keys.close()


def meanwhile(folder: Path, deed: Callable[[], object]) -> Walks:
    """Something happens after the verification began, and before the entries are walked over."""

    def over(windows: object, signed: int) -> object:
        deed()
        return walks(folder / "var", quick=False)(windows, signed)  # type: ignore[arg-type]  # as they came

    return over  # type: ignore[return-value]  # likewise


def test_what_is_biometric_goes_while_an_action_waits(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, new_event("s-1", subject="ana"), planned(biometric=True))
    gone(store, "ana", "biometric")
    with store.read() as reader:
        newest = reader.audit("session:s-1").items[0]
    assert (newest["kind"], newest["outcome"]) == ("action", "rejected")
    assert findings(tmp_path, store.verifier) == []
    store.close()


def test_the_status_of_a_session_is_not_that_of_somebody_who_was_erased(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, new_event(SESSION, subject="ana", status="In Review", occurred_at=NOW // 1000))
    put(store, new_event(SESSION, subject="bo", status="Approved", occurred_at=NOW // 1000 + 1))
    gone(store, "bo")
    state = store.submit(lambda tx: tx.session("didit", SESSION)).result()
    assert state is not None
    assert state.status == "In Review"
    assert findings(tmp_path, store.verifier) == []
    store.close()


def tiles(store: SqliteStore, first: int, count: int = 80) -> None:
    """Finished events, of four entries or more each."""
    for number in range(first, first + count):
        put(store, new_event(f"s-{number}", at=NOW + number, subject=f"p-{number}"), planned())
    while claims := claim_all(store, at=LATER):
        for claim in claims:
            settle(store, claim, ending("done", LATER, result={"n": 1}))


def pruned(store: SqliteStore) -> None:
    (row,) = prune(store, Limits(None, None, LATER + 1), "retention", lambda: LATER)
    assert isinstance(row["to"], int)
    assert row["to"] >= 256


def test_a_call_by_hand_outlives_the_first_entries_of_its_session(tmp_path: Path) -> None:
    """One session has an entry left that names its event, of another the newest event is gone."""
    store = opened(tmp_path)
    for subject in ("ana", "bo"):
        put(store, new_event(SESSION, at=NOW, subject=subject))
    kept = new_event("s-kept", at=NOW, subject="cy")
    put(store, kept)
    tiles(store, 0)
    for session_id in (SESSION, "s-kept"):
        facts = {"act": "call", "action": "didit.decision", "call": "act_1"}
        store.submit(lambda tx, of=session_id, said=facts: tx.add_note("operator", "cli:ana", LATER, said, of)).result()  # type: ignore[misc]
    store.submit(lambda tx: tx.add_access("bodies", "cli:ana", LATER, event_id=kept.event_id)).result()
    put(store, new_event(SESSION, at=NOW, subject="ana"))
    pruned(store)
    assert findings(tmp_path, store.verifier) == []
    store.close()


def test_since_last_goes_on_where_what_was_verified_last_is_pruned(tmp_path: Path) -> None:
    write_configuration(tmp_path)
    hours = itertools.count()  # the database keeps a note of each
    store = open_store(tmp_path / "var", clock=lambda: LATER + next(hours) * HOUR, sign_every=0.0)
    tiles(store, 0, 20)
    assert run("audit", "verify", cwd=tmp_path).returncode == 0
    tiles(store, 20)
    pruned(store)
    tiles(store, 100, 2)
    done = run("audit", "verify", "--since-last", "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["findings"]) == (0, [])
    store.close()


def test_a_server_writes_signs_erases_prunes_and_changes_keys_meanwhile(tmp_path: Path) -> None:
    store = opened(tmp_path)
    tiles(store, 0)
    numbers = itertools.count(1000, 100)
    deeds: tuple[Callable[[], object], ...] = (
        lambda: tiles(store, next(numbers)),
        lambda: gone(store, "p-70"),
        lambda: prune(store, Limits(LATER, None, None), "retention", lambda: LATER),
        lambda: store.rekey(None, "cli:ana", whole=True),
        lambda: pruned(store),
    )
    for deed in deeds:
        assert findings(tmp_path, store.verifier, meanwhile(tmp_path, deed)) == []
    assert findings(tmp_path, store.verifier) == []
    store.close()


def test_a_vendor_that_says_later_for_a_long_time(tmp_path: Path) -> None:
    """Of many attempts that spent nothing, those in between are kept in neither place."""
    store = opened(tmp_path)
    (action_id,) = put(store, new_event("s-1"), planned())
    for number in range(14):
        at = NOW + 1000 * number
        (claim,) = claim_all(store, at)
        how = ending("waiting_retry", at + 50, due=at + 1000, spent=False, http_status=429, reason="HTTP 429")
        assert settle(store, claim, how if number < 13 else ending("done", at + 50, http_status=200))
    with store.read() as reader:
        action: Any = reader.action(action_id)
    assert [attempt["n"] for attempt in action["attempts"]] == [1, 2, 3, 4, 5, 6, 7, 8, 13, 14]
    assert findings(tmp_path, store.verifier) == []
    store.close()
