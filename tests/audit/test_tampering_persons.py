"""Tampering with whose an event is, with keys, sessions and holds, and with what erasing and pruning account for."""

# ruff: noqa: S608  # statements of a forger, made of constants

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from receiver.audit.findings import Verdict
from receiver.audit.note import Verifier
from receiver.audit.verify import verify
from receiver.contract import OpenReview
from receiver.erasing import Wanted, erase, find
from receiver.pruning import Limits, prune
from receiver.store.keycheck import KeyEvidence
from receiver.store.master import read
from receiver.store.sqlite.evidence import EvidenceFile
from receiver.store.sqlite.store import SqliteStore, open_store
from receiver.store.sqlite.walking import walks
from tests.support.store_samples import NOW, claim_all, ending, new_event, planned, put, settle
from tests.support.tampering import edit, query, rebuild_tiles

LATER = NOW + 86_400_000
LONG_TAG = "MRZ_AND_DATA_EXTRACTED_FROM_OCR_NOT_SAME"  # of 40 characters, as a cut one has
FACES = {"score": 3.5}


def opened(folder: Path, at: int = NOW) -> SqliteStore:
    return open_store(folder, clock=lambda: at, sign_every=3600)


def ref_of(store: SqliteStore, subject: str) -> bytes:
    ref = find(store, Wanted(subject, None)).ref
    assert ref is not None
    return ref


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verifier]:
    """Persons p-0 to p-5: p-0 is held, p-3 erased, p-4 has an open case, an entry is about the session of p-2."""
    folder = tmp_path_factory.mktemp("persons") / "var"
    store = opened(folder)
    for number in (*range(6), 5):
        new = new_event(f"s-{number}", subject=f"p-{number}", at=NOW + number, liveness=FACES, tags=[LONG_TAG])
        put(store, new, planned(), planned(biometric=True))
    case = OpenReview("duplicates", "looks like another")
    while claims := claim_all(store, at=NOW + 100):
        for claim in claims:
            settle(store, claim, ending("done", NOW + 200, result={"n": 1}))
    put(store, new_event("s-4", subject="p-4", at=NOW + 300), planned())
    (claim,) = claim_all(store, at=NOW + 400)
    settle(store, claim, ending("done", NOW + 500, effects=(case,)))
    held = ref_of(store, "p-0")
    store.submit(lambda tx: tx.hold(held, "cli:ana", NOW + 600, "court order 7")).result()
    store.submit(lambda tx: tx.add_access("explanation", "token:eve", NOW + 700, session_id="s-2")).result()
    gone = ref_of(store, "p-3")
    erase(store, gone, "all", "cli:ana", lambda: NOW + 800, "asked for it")
    put(store, new_event("s-9", subject="p-9", at=NOW + 900, liveness=FACES))
    store.submit(lambda tx: tx.ask_checkpoint()).result()
    store.close()
    return folder, store.verifier


def checked(folder: Path, key: Verifier) -> Verdict:
    """Verified with everything there is, the keys of persons among it."""
    evidence, keys = EvidenceFile(folder), KeyEvidence(folder / "keys.db", lambda: [read(folder / "master.key")])
    assert keys.opens
    try:
        return verify(evidence.read, key, keys=keys, walks=walks(folder, quick=False), journal_rewritten=False)
    finally:
        keys.close()
        evidence.close()


def told(verdict: Verdict) -> list[str]:
    return [f"{finding.kind}: {finding}" for finding in verdict.findings if finding.where != "checkpoints.log"]


def edit_keys(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "keys.db", isolation_level=None)) as connection:
        connection.execute(statement)


def entries_of(folder: Path, session: str) -> set[str]:
    """The entries of a session's events that sealed something, as findings name them."""
    rows = query(
        folder, "SELECT idx, leaf FROM entry JOIN event USING (event_id) WHERE session_id = ? ORDER BY idx", session
    )
    return {f"entry {idx}" for idx, leaf in rows if json.loads(leaf).get("body")}


def test_what_nobody_touched_is_intact(folder: Path, key: Verifier) -> None:
    assert told(checked(folder, key)) == []


def test_what_hookwarden_does_by_itself_is_intact(folder: Path, key: Verifier) -> None:
    """Pruning beside a hold and something unfinished, then without them; erasing who was held."""
    store = opened(folder, LATER)
    prune(store, Limits(LATER, None, None), "cli:ana", lambda: LATER)
    assert told(checked(folder, key)) == []
    prune(store, Limits(LATER, LATER, None), "cli:ana", lambda: LATER)
    assert told(checked(folder, key)) == []
    held = ref_of(store, "p-0")
    store.submit(lambda tx: tx.release(held, "cli:ana", LATER)).result()
    (review,) = query(folder, "SELECT review_id FROM review")
    store.submit(lambda tx: tx.resolve_review(review[0], "token:eve", LATER, "confirmed", "")).result()
    prune(store, Limits(LATER, LATER, None), "cli:ana", lambda: LATER)
    assert query(folder, "SELECT count(*) FROM payload WHERE coalesce(body, document) IS NOT NULL") == [(0,)]
    assert told(checked(folder, key)) == []
    put(store, new_event("s-0", subject="p-0", at=LATER))
    erase(store, ref_of(store, "p-0"), "all", "cli:ana", lambda: LATER, "")
    assert told(checked(folder, key)) == []
    store.close()


def test_a_session_of_two_persons_of_whom_one_is_erased_is_intact(folder: Path, key: Verifier) -> None:
    store = opened(folder, LATER)
    for subject in ("p-1", "p-2"):  # the session of p-2 before
        put(store, new_event("s-2", subject=subject, at=LATER))
        store.submit(lambda tx: tx.add_access("explanation", "token:eve", LATER, session_id="s-2")).result()
    assert told(checked(folder, key)) == []
    with store.read() as reader:
        assert reader.audit_count("session:s-2 kind:access") == 3
    erase(store, ref_of(store, "p-1"), "all", "cli:ana", lambda: LATER, "")
    assert told(checked(folder, key)) == []
    with store.read() as reader:
        assert reader.audit_count("session:s-2 kind:access") == 2
    erase(store, ref_of(store, "p-2"), "all", "cli:ana", lambda: LATER, "")
    assert told(checked(folder, key)) == []
    with store.read() as reader:
        assert reader.audit_count("session:s-2") == 0
    store.close()


KEYS = {
    "gone": ("DELETE FROM subject_key", "personal key is missing"),
    "changed": ("UPDATE subject_key SET wrapped = zeroblob(length(wrapped))", "personal key in keys.db does not open"),
    "swapped": (
        "UPDATE subject_key SET wrapped = (SELECT biometric FROM subject_key AS o WHERE o.ref = subject_key.ref)",
        "personal key in keys.db does not open",
    ),
    "faces gone": ("UPDATE subject_key SET biometric = NULL", "biometric key is missing"),
    "faces changed": ("UPDATE subject_key SET biometric = x'00'", "biometric key in keys.db does not open"),
}


@pytest.mark.parametrize("how", KEYS)
def test_a_key_that_was_taken_away_or_changed_is_told(folder: Path, key: Verifier, how: str) -> None:
    statement, says = KEYS[how]
    edit_keys(folder, statement)
    verdict = checked(folder, key)
    assert set(verdict.counts) - {"note"} == {"keys"}
    assert verdict.counts["keys"] == 6  # p-3 was erased
    assert all(says in line for line in told(verdict))


def test_a_key_that_was_destroyed_and_put_back_is_told(folder: Path, key: Verifier) -> None:
    (row,) = query(folder, "SELECT ref, idx FROM erasure")
    with closing(sqlite3.connect(folder / "keys.db", isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO subject_key SELECT x'00', class, ?, x'00', 1, NULL FROM subject_key LIMIT 1", row[:1]
        )
    said = told(checked(folder, key))
    assert (
        f"keys: person {row[0].hex()}: has a key in keys.db, and entry {row[1]} says that it was destroyed" in said[-1]
    )


SESSIONS = {
    "merged": [
        "UPDATE event SET session_id = 's-2' WHERE session_id = 's-1'",
        "UPDATE OR IGNORE session_ref SET session_id = 's-2' WHERE session_id = 's-1'",
    ],
    "renamed": [
        "UPDATE event SET session_id = 's-7' WHERE session_id = 's-1'",
        "UPDATE session_ref SET session_id = 's-7' WHERE session_id = 's-1'",
    ],
    "of another person": [
        "UPDATE event SET subject_ref = (SELECT subject_ref FROM event WHERE session_id = 's-1')"
        " WHERE session_id = 's-2'"
    ],
}


@pytest.mark.parametrize("how", SESSIONS)
def test_an_event_of_another_session_or_person_is_told(folder: Path, key: Verifier, how: str) -> None:
    edit(folder, *SESSIONS[how])
    assert any("session or person was edited" in line for line in told(checked(folder, key)))


def test_an_event_cannot_leave_its_session_by_an_erasure_of_somebody_else(folder: Path, key: Verifier) -> None:
    for session in ("s-9", "s-1"):  # after the erasure, and before it
        edit(
            folder,
            f"DELETE FROM session_ref WHERE session_id = '{session}'",
            "UPDATE event SET subject_ref = (SELECT ref FROM erasure), session_id = NULL, lane = event_id"
            f" WHERE session_id = '{session}'",
        )
    said = [line for line in told(checked(folder, key)) if "session is missing, and no entry says" in line]
    assert len(said) >= 2


ABOUT_SESSIONS = {
    "gone": "DELETE FROM session_ref WHERE idx = {0}",
    "moved": "UPDATE session_ref SET session_id = 's-9' WHERE idx = {0}",
    "moved to nowhere": "UPDATE session_ref SET session_id = 'x' WHERE idx = {0}",
    "doubled": "INSERT INTO session_ref VALUES ('s-9', {0})",
}


@pytest.mark.parametrize("how", ABOUT_SESSIONS)
def test_an_entry_about_a_session_that_another_finds_or_none_is_told(folder: Path, key: Verifier, how: str) -> None:
    ((idx,),) = query(folder, "SELECT idx FROM entry WHERE kind = 'access'")
    edit(folder, ABOUT_SESSIONS[how].format(idx))
    verdict = checked(folder, key)
    assert set(verdict.counts) - {"note"} == {"finder"}
    assert any(f"entry {idx}: is " in line for line in told(verdict))


EMPTIED = (
    "UPDATE payload SET body = NULL, document = NULL, biometric = NULL WHERE n IN ({0})",
    "UPDATE decision SET document = NULL WHERE event_n IN ({0})",
    "UPDATE action SET params = NULL WHERE event_n IN ({0})",
    "UPDATE attempt SET result = NULL WHERE action_n IN (SELECT n FROM action WHERE event_n IN ({0}))",
    "UPDATE review SET reason = NULL, note = NULL WHERE event_n IN ({0})",
)


def emptied(folder: Path, session: str) -> None:
    which = f"SELECT n FROM event WHERE session_id = '{session}'"
    edit(folder, *(statement.format(which) for statement in EMPTIED))


def pruned(folder: Path, *, contents: bool = True) -> None:
    store = opened(folder, LATER)
    prune(store, Limits(LATER, LATER if contents else None, None), "cli:ana", lambda: LATER)
    store.close()


def blobs(verdict: Verdict) -> set[str]:
    return {finding.where for finding in verdict.findings if finding.kind == "blob"}


def test_what_pruning_passed_over_for_a_hold_is_not_excused_by_it(folder: Path, key: Verifier) -> None:
    pruned(folder)
    wanted = entries_of(folder, "s-0")
    assert len(wanted) >= 5
    emptied(folder, "s-0")
    edit(folder, "UPDATE hold SET reason = NULL")
    found = blobs(checked(folder, key))
    assert found >= wanted
    ((idx,),) = query(folder, "SELECT idx FROM entry WHERE kind = 'hold'")
    assert f"entry {idx}" in found


def test_a_held_person_is_not_made_another_one(folder: Path, key: Verifier) -> None:
    """Also not with the session, of which nothing was left to tell."""
    pruned(folder)
    wanted = entries_of(folder, "s-0")
    emptied(folder, "s-0")
    edit(
        folder,
        "DELETE FROM session_ref WHERE session_id = 's-0'",
        "UPDATE event SET session_id = NULL, subject_ref = (SELECT ref FROM erasure) WHERE session_id = 's-0'",
    )
    assert blobs(checked(folder, key)) >= wanted


def test_what_pruning_passed_over_as_it_was_unfinished_is_not_excused_by_it(folder: Path, key: Verifier) -> None:
    pruned(folder)
    ((event_id,),) = query(folder, "SELECT event_id FROM event WHERE n = (SELECT event_n FROM review)")
    wanted = {
        f"entry {idx}"
        for idx, leaf in query(folder, "SELECT idx, leaf FROM entry WHERE event_id = ?", event_id)
        if json.loads(leaf).get("body")
    }
    edit(folder, *(statement.format("SELECT event_n FROM review") for statement in EMPTIED))
    assert blobs(checked(folder, key)) == wanted


BIOMETRIC_ONLY = {
    "document": ["UPDATE payload SET parted = 0, document = NULL"],
    "decision": ["UPDATE payload SET parted = 0", "UPDATE decision SET document = NULL"],
    "params": ["UPDATE action SET params = NULL, biometric = 1"],
    "result": ["UPDATE attempt SET result = NULL", "UPDATE action SET biometric = 1"],
    "review": ["UPDATE payload SET parted = 0", "UPDATE review SET reason = NULL"],
    "hold": ["UPDATE hold SET reason = NULL"],
}


@pytest.mark.parametrize("how", BIOMETRIC_ONLY)
def test_pruning_of_biometric_data_excuses_nothing_else(folder: Path, key: Verifier, how: str) -> None:
    pruned(folder, contents=False)
    assert told(checked(folder, key)) == []
    edit(folder, *BIOMETRIC_ONLY[how])
    assert "blob" in checked(folder, key).counts


def forged(folder: Path, leaf: dict[str, Any]) -> int:
    """Append an entry that everything fits, as who has no key can."""
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        execute = connection.execute
        (idx,) = execute("SELECT max(idx) + 1 FROM entry").fetchone()
        content = json.dumps({**leaf, "idx": idx, "v": 2}, sort_keys=True, separators=(",", ":")).encode()
        columns = ("at", "kind", "actor", "event_id", "action_id", "type", "rule", "outcome", "policy_sha256", "source")
        row = (idx, content, *(leaf.get(name) for name in columns))
        execute(f"INSERT INTO entry VALUES ({', '.join('?' * len(row))})", row)
        for name in ("kind", "actor", "outcome"):
            execute("INSERT OR IGNORE INTO word VALUES (?, ?)", (name, leaf[name]))
            execute("INSERT OR IGNORE INTO word_block VALUES (?, ?, ?)", (name, leaf[name], idx // 64))
        for value in leaf["facts"].values():
            execute("INSERT OR IGNORE INTO word VALUES ('fact', ?)", (value,))
            execute("INSERT OR IGNORE INTO entry_fact VALUES (?, ?)", (value, idx))
        for kind, word in (("kind", leaf["kind"]), ("source", "")):
            counted = (kind, leaf["at"] // 86_400_000, word, leaf["outcome"])
            execute("INSERT INTO rollup VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", counted)
        execute("UPDATE entry_hour SET last_idx = ? WHERE hour = (SELECT max(hour) FROM entry_hour)", (idx,))
        connection.commit()
    rebuild_tiles(folder)
    return int(idx)


@pytest.mark.parametrize("kind", ["erasure", "prune"])
def test_an_entry_that_nobody_signed_excuses_nothing(folder: Path, key: Verifier, kind: str) -> None:
    wanted = entries_of(folder, "s-1")
    ((ref,),) = query(folder, "SELECT subject_ref FROM event WHERE session_id = 's-1'")
    emptied(folder, "s-1")
    facts = {"subject": ref.hex(), "class": "all", "payloads": "1"}
    if kind == "prune":
        facts = {"class": "all", "before": "2036-01-01T00:00:00.000Z"}
    outcome = "erased" if kind == "erasure" else "pruned"
    idx = forged(folder, {"at": NOW + 1000, "kind": kind, "actor": "cli:root", "outcome": outcome, "facts": facts})
    verdict = checked(folder, key)
    assert blobs(verdict) == wanted
    assert any(line.startswith(f"note: entry {idx}: ") and "no checkpoint covers it" in line for line in told(verdict))


def test_an_erasure_that_was_forged_and_signed_by_the_next_act_is_told_by_the_key(folder: Path, key: Verifier) -> None:
    ((ref,),) = query(folder, "SELECT subject_ref FROM event WHERE session_id = 's-1'")
    emptied(folder, "s-1")
    facts = {"subject": ref.hex(), "class": "all", "payloads": "1"}
    idx = forged(
        folder, {"at": NOW + 1000, "kind": "erasure", "actor": "cli:root", "outcome": "erased", "facts": facts}
    )
    store = opened(folder, LATER)
    store.submit(lambda tx: tx.add_note("start", "engine", LATER, {})).result()
    store.submit(lambda tx: tx.ask_checkpoint()).result()
    store.close()
    said = told(checked(folder, key))
    assert any(f"entry {idx} says that it was destroyed: it was put back" in line for line in said)


def test_a_tag_as_long_as_a_cut_one_is_no_excuse(folder: Path, key: Verifier) -> None:
    edit(
        folder,
        "UPDATE event SET tags = '[]'",
        "DELETE FROM entry_tag",
        "DELETE FROM word WHERE key = 'tag'",
        "DELETE FROM rollup WHERE kind = 'tag'",
    )
    counts = checked(folder, key).counts
    assert counts["row"] >= 7
    assert counts["finder"] >= 7
