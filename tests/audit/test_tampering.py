"""Every way to tamper with a record, tried on a real file: verification tells what was done, and where."""

# ruff: noqa: S608  # statements of a forger, made of constants

from __future__ import annotations

import json
from pathlib import Path

import pytest

from receiver.audit.absent import ALL
from receiver.audit.evidence import Known
from receiver.audit.findings import Verdict
from receiver.audit.note import Checkpoint, Signer, Verifier, open_checkpoint
from receiver.audit.tree import leaf_hash, root_of
from receiver.erasing import Wanted, erase, find
from receiver.pruning import Limits, prune
from receiver.store.signing import read_or_make
from receiver.store.sqlite.walking import walks
from receiver.store.verified import load
from tests.support.store_samples import new_event, put
from tests.support.tampering import edit, filled, notes_in, query, rebuild_tiles, verified


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verifier]:
    """A record of some hundred entries with a few checkpoints, which nobody touched."""
    folder = tmp_path_factory.mktemp("pristine") / "var"
    store = filled(folder, 0, sign_every=3600)
    put(store, new_event("first"))
    store.close()
    store = filled(folder, 100, sign_every=3600)
    store.submit(lambda tx: tx.ask_checkpoint()).result(10)
    for number in range(150):
        put(store, new_event(f"late-{number}"))
    for number in range(75):
        put(store, new_event(f"later-{number}", tags=[]))
    store.submit(lambda tx: tx.ask_checkpoint()).result(10)
    store.close()
    return folder, store.verifier


def told(verdict: Verdict) -> str:
    return "\n".join(f"{finding.kind}: {finding}" for finding in verdict.findings)


def size_of(folder: Path) -> int:
    return int(query(folder, "SELECT count(*) FROM entry")[0][0])


def signer_of(folder: Path, key: Verifier) -> Signer:
    return Signer(key.name, read_or_make(folder / "signing.key", signed_before=True))


def test_a_record_that_nobody_touched_is_intact(folder: Path, key: Verifier) -> None:
    size = size_of(folder)
    assert size > 3 * 256
    verdict = verified(folder, key)
    assert (verdict.fine, verdict.size, told(verdict)) == (True, size, "")
    assert verdict.checkpoint is not None
    assert verdict.checkpoint.size == size
    leaves = [leaf for (leaf,) in query(folder, "SELECT leaf FROM entry ORDER BY idx")]
    assert verdict.root == root_of([leaf_hash(leaf) for leaf in leaves])
    assert verdict.notes == len(set(notes_in(folder / "checkpoints.log")))


def test_an_empty_record_is_intact(tmp_path: Path) -> None:
    store = filled(tmp_path, 0)
    store.close()
    assert verified(tmp_path, store.verifier).fine


def test_an_edited_leaf_names_its_tile_and_its_row(folder: Path, key: Verifier) -> None:
    edit(folder, "UPDATE entry SET leaf = replace(CAST(leaf AS TEXT), '\"v\":', '\"v\":9') WHERE idx = 520")
    verdict = verified(folder, key)
    assert told(verdict) == "entry: tile 2: entries 512-767, entry 520: is not what the tile says it was"
    assert not verified(folder, key, quick=True).fine


COLUMN_EDITS = {
    "at": "at + 1",
    "kind": "'note'",
    "actor": "'somebody'",
    "event_id": "'evt_other'",
    "action_id": "'act_other'",
    "type": "'other'",
    "rule": "'other'",
    "outcome": "'approved'",
    "policy_sha256": "'0000'",
    "source": "'kwikid'",
}


@pytest.mark.parametrize("column", COLUMN_EDITS)
def test_an_edited_column_is_told(folder: Path, key: Verifier, column: str) -> None:
    edit(folder, f"UPDATE entry SET {column} = {COLUMN_EDITS[column]} WHERE idx = 301")
    assert told(verified(folder, key)).startswith(f"column: entry 301: {column} was edited: the leaf says ")


def test_swapped_rows_are_told(folder: Path, key: Verifier) -> None:
    edit(
        folder,
        "UPDATE entry SET idx = -1 WHERE idx = 600",
        "UPDATE entry SET idx = 600 WHERE idx = 601",
        "UPDATE entry SET idx = 601 WHERE idx = -1",
    )
    said = told(verified(folder, key))
    assert "tile 2: entries 512-767, entry 600: is not what the tile says it was" in said
    assert "entry 600: holds the leaf of entry 601: rows were swapped" in said
    assert "entry 601: holds the leaf of entry 600: rows were swapped" in said


def test_swapped_leaves_with_a_tree_that_fits_are_told_all_the_same(folder: Path, key: Verifier) -> None:
    edit(
        folder,
        "UPDATE entry SET idx = -1 WHERE idx = 600",
        "UPDATE entry SET idx = 600 WHERE idx = 601",
        "UPDATE entry SET idx = 601 WHERE idx = -1",
    )
    rebuild_tiles(folder)
    counts = verified(folder, key).counts
    assert counts["fork"] >= 1
    assert counts["column"] == 2


def test_a_row_deleted_in_the_middle_is_named(folder: Path, key: Verifier) -> None:
    edit(folder, "DELETE FROM entry WHERE idx = 300")
    said = told(verified(folder, key))
    assert said.startswith("missing: tile 1: entries 256-511, entry 300: is missing")
    assert "tile 2" not in said


def test_a_whole_tile_deleted_in_the_middle_is_named(folder: Path, key: Verifier) -> None:
    edit(folder, "DELETE FROM entry WHERE idx >= 256 AND idx < 512", "DELETE FROM tile WHERE level = 0 AND n = 1")
    verdict = verified(folder, key)
    assert verdict.counts["missing"] == 256
    assert "tile 1: entries 256-511: the tile is missing; there should be 256" in told(verdict)


def test_a_tail_that_was_cut_off_is_told_by_the_tiles(folder: Path, key: Verifier) -> None:
    size = size_of(folder)
    edit(folder, f"DELETE FROM entry WHERE idx >= {size - 3}")
    assert (
        f"cut: entries {size - 3}-{size - 1}: are missing: the tree has {size} leaves, the record {size - 3} entries;"
        " its end was cut off"
    ) in told(verified(folder, key))


def cut_consistently(folder: Path, key: Verifier, size: int) -> None:
    """Entries, tiles and the newest checkpoints, and a new one that fits: what a careful forger with the key does."""
    edit(folder, f"DELETE FROM entry WHERE idx >= {size}", f"DELETE FROM checkpoint WHERE size > {size}")
    edit(folder, f"DELETE FROM entry_tag WHERE idx >= {size}", f"DELETE FROM entry_rule WHERE idx >= {size}")
    rebuild_tiles(folder)
    resign(folder, key, signer_of(folder, key))


def resign(folder: Path, key: Verifier, signer: Signer) -> str:
    """Put a checkpoint of the record as it is now in the place of all others in the database."""
    leaves = [leaf_hash(leaf) for (leaf,) in query(folder, "SELECT leaf FROM entry ORDER BY idx")]
    note = signer.sign(Checkpoint(key.name, len(leaves), root_of(leaves)).text())
    edit(folder, "DELETE FROM checkpoint")
    edit(folder, "INSERT INTO checkpoint VALUES (?, ?, ?)", values=(len(leaves), 0, note))
    return note


def test_a_tail_that_was_cut_off_consistently_is_told_by_the_log_of_checkpoints(folder: Path, key: Verifier) -> None:
    size = size_of(folder)
    cut_consistently(folder, key, 700)
    verdict = verified(folder, key)
    assert "cut" in verdict.counts
    assert f"{size} entries were signed, the record has 700: its end was cut off" in told(verdict)
    (folder / "checkpoints.log").write_text(query(folder, "SELECT note FROM checkpoint")[0][0] + "\n")
    told_by = verified(folder, key, quick=True)
    assert told_by.fine  # nothing in the tree tells any more: so checkpoints are kept elsewhere


def test_a_tail_that_was_cut_off_with_the_log_is_told_by_a_checkpoint_kept_elsewhere(
    folder: Path, key: Verifier
) -> None:
    kept = notes_in(folder / "checkpoints.log")[-1]
    cut_consistently(folder, key, 700)
    (folder / "checkpoints.log").write_text(query(folder, "SELECT note FROM checkpoint")[0][0] + "\n")
    verdict = verified(folder, key, kept)
    assert "cut" in verdict.counts
    assert "kept elsewhere" in told(verdict)


def rewrite(folder: Path) -> None:
    """Another history, in which everything but the signatures fits."""
    for idx, leaf in query(folder, "SELECT idx, leaf FROM entry WHERE idx IN (40, 41)"):
        changed = json.dumps({**json.loads(leaf), "actor": "nobody"}, sort_keys=True, separators=(",", ":")).encode()
        edit(folder, f"UPDATE entry SET leaf = ?, actor = 'nobody' WHERE idx = {idx}", values=(changed,))
    edit(folder, "INSERT INTO word VALUES ('actor', 'nobody')", "INSERT INTO word_block VALUES ('actor', 'nobody', 0)")
    rebuild_tiles(folder)


def test_a_history_that_was_rewritten_is_told_by_what_was_signed(folder: Path, key: Verifier) -> None:
    rewrite(folder)
    verdict = verified(folder, key)
    assert set(verdict.counts) == {"fork"}
    assert "they were changed, or are a fork" in told(verdict)


def test_a_history_that_another_key_signed_anew_is_told_by_the_key_that_was_written_down(
    folder: Path, key: Verifier
) -> None:
    rewrite(folder)
    (folder / "signing.key").unlink()
    forger = Signer(key.name, read_or_make(folder / "signing.key", signed_before=False))
    (folder / "checkpoints.log").write_text(resign(folder, key, forger) + "\n")
    assert verified(folder, forger.verifier).fine
    verdict = verified(folder, key)
    assert set(verdict.counts) == {"key"}
    assert "not signed by" in told(verdict)


def test_a_fork_that_the_same_key_signed_is_told_by_a_checkpoint_kept_elsewhere(folder: Path, key: Verifier) -> None:
    kept = notes_in(folder / "checkpoints.log")[1]
    rewrite(folder)
    (folder / "checkpoints.log").write_text(resign(folder, key, signer_of(folder, key)) + "\n")
    assert verified(folder, key).fine
    verdict = verified(folder, key, kept)
    assert told(verdict).startswith("fork: kept elsewhere: another root was signed for the first ")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND n = 1",
            "tile: tile 1: entries 256-511: the tile was edited: the entries fit the level above it",
        ),
        (
            "UPDATE tile SET hashes = substr(hashes, 1, 320) WHERE level = 0 AND n = 1",
            "tile: tile 1: entries 256-511: the tile holds 10 hashes; there should be 256",
        ),
        (
            "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1 AND n = 0",
            "tile: tile 0 of level 1, hash 0 (entries 0-255): is not the root of the tile below it",
        ),
        ("DELETE FROM tile WHERE level = 1", "tile: tile 0 of level 1: holds 0 hashes; there should be 3"),
        ("INSERT INTO tile VALUES (2, 0, zeroblob(32))", "cut: tile 0 of level 2: stands beyond the"),
    ],
)
def test_an_edited_tile_is_told_from_an_edited_entry(folder: Path, key: Verifier, statement: str, says: str) -> None:
    edit(folder, statement)
    assert says in told(verified(folder, key))


def test_an_edited_line_of_the_log_of_checkpoints_is_told(folder: Path, key: Verifier) -> None:
    log = folder / "checkpoints.log"
    lines = log.read_text().split("\n")
    lines[1] = str(int(lines[1]) + 1)
    log.write_text("\n".join(lines))
    assert "note: checkpoints.log, note 0: the signature of" in told(verified(folder, key))


def test_lines_removed_from_the_log_of_checkpoints_are_told_by_the_database(folder: Path, key: Verifier) -> None:
    first = notes_in(folder / "checkpoints.log")[1]
    size = open_checkpoint(first, key).size
    edit(folder, "INSERT OR IGNORE INTO checkpoint VALUES (?, 0, ?)", values=(size, first))
    assert verified(folder, key).fine
    log = folder / "checkpoints.log"
    log.write_text(log.read_text().replace(first + "\n", ""))
    assert f"the note of {size} entries, which the database has, is not in it" in told(verified(folder, key))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payload SET body = zeroblob(60) WHERE n = 3",
        "UPDATE payload SET document = (SELECT document FROM payload WHERE n = 4) WHERE n = 3",
        "UPDATE decision SET document = (SELECT document FROM decision WHERE n = 4) WHERE n = 3",
        "UPDATE action SET params = (SELECT params FROM action WHERE n = 4) WHERE n = 3",
        "UPDATE attempt SET result = zeroblob(40) WHERE action_n = (SELECT min(action_n) FROM attempt)",
    ],
    ids=["body", "document", "decision", "params", "result"],
)
def test_sealed_content_that_was_swapped_is_told(folder: Path, key: Verifier, statement: str) -> None:
    edit(folder, statement)
    verdict = verified(folder, key)
    assert set(verdict.counts) == {"blob"}
    assert "is not the one whose hash the leaf holds" in told(verdict)


PARTS = {
    "all bodies": "UPDATE payload SET body = NULL, document = NULL WHERE n = 3",
    "decision": "UPDATE decision SET document = NULL WHERE n = 3",
    "params": "UPDATE action SET params = NULL WHERE n = 3",
    "result": "UPDATE attempt SET result = NULL",
    "row": "DELETE FROM payload WHERE n = 3",
    "moved": "UPDATE payload SET n = 1000000 WHERE n = 3",
}


@pytest.mark.parametrize("how", PARTS)
def test_sealed_content_that_is_gone_without_an_erasure_is_told(folder: Path, key: Verifier, how: str) -> None:
    edit(folder, PARTS[how])
    assert "is missing, and no entry says that it was erased or pruned" in told(verified(folder, key))


def test_what_an_erasure_of_another_person_took_excuses_nothing(folder: Path, key: Verifier) -> None:
    store = filled(folder, 0)
    put(store, new_event("other", subject="somebody else"))
    ref = find(store, Wanted("somebody else", None, "all")).ref
    assert ref is not None
    erase(store, ref, "all", "cli:ana", lambda: 1_795_000_000_000, "")
    store.close()
    assert told(verified(folder, key)) == ""
    edit(
        folder,
        "UPDATE payload SET body = NULL, document = NULL WHERE n = 3",
        "UPDATE event SET subject_ref = (SELECT ref FROM erasure) WHERE n = 3",
    )
    assert "blob" in verified(folder, key).counts


ROWS = {
    "event type": "UPDATE event SET type = 'x' WHERE n = 3",
    "event status": "UPDATE event SET status = 'Approved' WHERE n = 3",
    "event tags": "UPDATE event SET tags = '[]' WHERE n = 3",
    "event source": "UPDATE event SET source = 'x' WHERE n = 3",
    "event gone": "DELETE FROM event WHERE n = 3",
    "event put in": "INSERT INTO event SELECT 999999, 'evt_x', parent_id, source, x'00', vendor, type, NULL, status,"
    " tags, received_at, occurred_at, lane, depth, subject_ref, receipt, deliveries FROM event WHERE n = 3",
    "decision outcome": "UPDATE decision SET outcome = 'fallback' WHERE n = 3",
    "decision policy": "UPDATE decision SET policy_sha256 = 'x' WHERE n = 3",
    "decision status": "UPDATE decision SET status = 'Approved' WHERE n = 3",
    "decision rules": "UPDATE decision SET rules_fired = '[]' WHERE n = 3",
    "decision gone": "DELETE FROM decision WHERE n = 3",
    "decision put in": "INSERT INTO decision (event_n, at, actor, policy, policy_sha256, mode, outcome, rules_fired)"
    " VALUES (3, 1, 'engine', 'face', 'x', 'enforce', 'decided', '[]')",
    "action name": "UPDATE action SET name = 'x' WHERE n = 3",
    "action rule": "UPDATE action SET rule = 'x' WHERE n = 3",
    "action state": "UPDATE action SET state = 'failed' WHERE n = 3",
    "action gone": "DELETE FROM action WHERE n = 150",
    "attempt outcome": "UPDATE attempt SET outcome = 'failed'",
    "attempt http": "UPDATE attempt SET http_status = 500",
    "attempt gone": "DELETE FROM attempt",
    "policy text": "INSERT INTO policy VALUES ('aa', 'face', 'text', NULL, 1)",
}


@pytest.mark.parametrize("how", ROWS)
def test_an_edited_row_that_people_read_is_told(folder: Path, key: Verifier, how: str) -> None:
    edit(folder, ROWS[how])
    assert "row" in verified(folder, key).counts


BLINDED = {
    "session gone": "DELETE FROM session_ref WHERE session_id = 's-3'",
    "session changed": "UPDATE session_ref SET session_id = 'x' WHERE session_id = 's-3'",
    "session put in": "INSERT INTO session_ref VALUES ('x', 3)",
    "block": "DELETE FROM word_block WHERE key = 'status'",
    "word": "DELETE FROM word WHERE key = 'status'",
    "rule word": "DELETE FROM word WHERE key = 'rule'",
    "count": "UPDATE rollup SET n = n + 1 WHERE kind = 'kind' AND key = 'event'",
    "count gone": "DELETE FROM rollup WHERE kind = 'tag'",
    "tally": "UPDATE tally SET n = n - 1 WHERE name = 'events'",
    "fact put in": "INSERT INTO entry_fact VALUES ('x', 3)",
    "hour": "UPDATE entry_hour SET last_idx = 'abc'",
}


@pytest.mark.parametrize("how", BLINDED)
def test_a_search_or_a_count_that_was_blinded_is_told(folder: Path, key: Verifier, how: str) -> None:
    edit(folder, BLINDED[how])
    assert "finder" in verified(folder, key).counts


MADE_UP = [
    '{"idx":300,"at":1,"kind":"x","actor":"a","tags":5}',
    '{"idx":300,"at":1,"kind":"x","actor":"a","body":5}',
    '{"idx":300,"at":1,"kind":"x","actor":"a","rules":[[1]]}',
    '{"idx":300,"at":1e999,"kind":"x"}',
    "{",
    "",
    "[" * 100_000,
]


@pytest.mark.parametrize("leaf", MADE_UP, ids=lambda leaf: leaf[-12:] or "empty")
def test_a_leaf_of_another_form_is_named(folder: Path, key: Verifier, leaf: str) -> None:
    edit(folder, "UPDATE entry SET leaf = ? WHERE idx = 300", values=(leaf.encode(),))
    said = told(verified(folder, key))
    assert "entry: tile 1, entry 300: the leaf has not the form of a leaf" in said
    assert "tile 1: entries 256-511, entry 300: is not what the tile says it was" in said


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE checkpoint SET note = x'ff00'", "note"),
        ("UPDATE meta SET value = 'abc' WHERE name = 'min_idx'", "missing"),
        ("UPDATE meta SET value = -256 WHERE name = 'min_idx'", "missing"),
        ("UPDATE meta SET value = 1000000 WHERE name = 'min_idx'", "missing"),
        ("INSERT INTO tile VALUES (0, 9223372036854775807, zeroblob(32))", "tile"),
        ("INSERT INTO entry_tag VALUES (x'ff', 3)", "finder"),
        ("DELETE FROM checkpoint", "note"),
    ],
)
def test_nonsense_in_a_table_is_a_finding(folder: Path, key: Verifier, statement: str, kind: str) -> None:
    edit(folder, statement)
    assert kind in verified(folder, key).counts


@pytest.mark.parametrize("text", ['"log_bytes": -5', '"size": 1e999', '"size": ' + "[" * 100_000])
def test_nonsense_in_what_an_earlier_verification_left_is_passed_over(tmp_path: Path, text: str) -> None:
    whole = '{"size": 1, "root": "", "log_bytes": 1, "log_sha256": "", %s}' % text  # noqa: UP031  # braces
    (tmp_path / "verified.json").write_text(whole)
    assert load(tmp_path / "verified.json") is None


def test_a_record_whose_notes_are_all_gone_is_not_signed_anew(folder: Path, key: Verifier) -> None:
    store = filled(folder, 0)
    store.submit(lambda tx: tx.note_signing_key(key.id.hex(), "engine", 1_795_000_000_000)).result(10)
    store.close()
    edit(folder, "DELETE FROM checkpoint")
    (folder / "checkpoints.log").write_text("")
    assert "checkpoints.log: holds no note" in told(verified(folder, key))
    store = filled(folder, 0)
    put(store, new_event("after"))
    store.close()
    assert query(folder, "SELECT count(*) FROM checkpoint") == [(0,)]
    assert notes_in(folder / "checkpoints.log") == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM entry_tag WHERE tag = 'ALWAYS' AND idx = 6", "entry 6: is not found by tag 'ALWAYS'"),
        (
            "INSERT INTO entry_tag VALUES ('ALWAYS', 700)",
            "entry 700: is found by tag 'ALWAYS', which its leaf does not",
        ),
        ("INSERT INTO entry_tag VALUES ('NEW', 700)", "entry 700: is found by tag 'NEW'"),
        ("UPDATE entry_rule SET rule = 'calm' WHERE rule = 'ring' AND idx = 5", "entry 5: is not found by rule 'ring'"),
        ("DELETE FROM entry_hour", "a search by time misses entries of the hour"),
        ("UPDATE entry_hour SET last_idx = first_idx", "a search by time misses entries of the hour"),
    ],
)
def test_an_edited_look_up_table_is_told(folder: Path, key: Verifier, statement: str, says: str) -> None:
    edit(folder, statement)
    verdict = verified(folder, key)
    assert set(verdict.counts) == {"finder"}
    assert says in told(verdict)


def test_an_entry_put_behind_the_tree_is_told(folder: Path, key: Verifier) -> None:
    edit(folder, "UPDATE entry SET idx = 1000000000 WHERE idx = (SELECT max(idx) FROM entry)")
    assert "are not in the tree" in told(verified(folder, key))


def test_several_processes_find_the_same(folder: Path) -> None:
    edit(folder, "UPDATE entry SET outcome = 'x' WHERE idx IN (3, 300, 600)", "DELETE FROM entry WHERE idx = 601")
    windows = [(0, 256), (256, 512), (512, 768)]
    alone = list(walks(folder, quick=False, worth_it=99)(windows, ALL))
    side_by_side = list(walks(folder, quick=False, worth_it=1)(windows, ALL))
    assert [walked.findings.kept for walked in alone] == [walked.findings.kept for walked in side_by_side]
    assert [walked.hours for walked in alone] == [walked.hours for walked in side_by_side]
    assert sum(sum(walked.findings.counts.values()) for walked in alone) >= 4


def test_a_long_list_of_findings_is_bounded_and_counted(folder: Path, key: Verifier) -> None:
    edit(folder, "UPDATE entry SET actor = 'x'")
    verdict = verified(folder, key)
    assert verdict.counts["column"] == verdict.size
    assert len(verdict.findings) == 50


def test_going_on_from_an_earlier_verification(folder: Path, key: Verifier) -> None:
    early = open_checkpoint(notes_in(folder / "checkpoints.log")[1], key)
    known = Known(early.size, early.root)
    assert verified(folder, key, since=known).since == early.size
    assert verified(folder, key, since=known).fine
    assert "are not those that were verified before" in told(verified(folder, key, since=Known(early.size, b"x" * 32)))
    assert "were verified before: the end was cut off" in told(verified(folder, key, since=Known(10**6, early.root)))
    edit(folder, "UPDATE entry SET outcome = 'x' WHERE idx = 800")
    assert not verified(folder, key, since=known).fine


def test_a_beginning_that_was_deleted_is_told_from_one_that_was_pruned(folder: Path, key: Verifier) -> None:
    kept = notes_in(folder / "checkpoints.log")[1]
    edit(
        folder,
        "DELETE FROM entry WHERE idx < 256",
        "DELETE FROM tile WHERE level = 0 AND n < 1",
        "DELETE FROM entry_tag WHERE idx < 256",
        "DELETE FROM entry_rule WHERE idx < 256",
        "INSERT OR REPLACE INTO meta VALUES ('min_idx', 256)",
    )
    assert "missing: entries 0-255: are missing: no entry says that they were pruned" in told(
        verified(folder, key, kept)
    )
    assert "missing" in verified(folder, key, quick=True).counts


def test_a_record_whose_beginning_was_pruned_is_verified_from_there_on(folder: Path, key: Verifier) -> None:
    kept = notes_in(folder / "checkpoints.log")[1]
    store = filled(folder, 0)
    later = 1_795_000_000_000 + 86_400_000
    prune(store, Limits(later, later, None), "cli:ana", lambda: later)
    store.close()
    assert told(verified(folder, key, kept)) == ""
    edit(folder, "UPDATE action SET state = 'done', due = NULL, ready = 0")  # only what is over is pruned
    store = filled(folder, 0)
    prune(store, Limits(None, None, later), "cli:ana", lambda: later)
    store.close()
    verdict = verified(folder, key, kept)
    assert set(verdict.counts) <= {"row", "finder"}  # of the states that were edited above
    assert all("action" in str(finding) for finding in verdict.findings)
    assert verdict.first >= 256
    edit(folder, f"DELETE FROM entry WHERE idx = {verdict.first}")
    assert f"entry {verdict.first}: is missing" in told(verified(folder, key))
