"""I9: a person can be erased. Keys, rows and bytes go; the record stays whole, and says so."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from receiver.audit.note import open_checkpoint
from receiver.audit.tree import is_included, leaf_hash
from receiver.contract import JsonObject, LabelSession, OpenReview
from receiver.erasing import Wanted, erase, find, is_there, preview
from receiver.errors import NotFound
from receiver.store.keyring import Keyring
from receiver.store.port import Store
from tests.support.store_samples import LINK, NAME, NOW, SUBJECT, claim_all, ending, new_event, planned, put, settle

Open = Callable[..., Store]
SESSIONS = ("ses-of-the-erased-1", "ses-of-the-erased-2")
FACES: dict[str, Any] = {
    "matches": [{"session_id": "m-1", "similarity": 91.25}],
    "liveness": {"status": "Declined", "score": 3.5},
    "face_match": {"status": "Approved", "score": 88.0},
}


def body(session: str) -> bytes:
    return json.dumps({"name": NAME, "image": LINK, "who": SUBJECT, "session_id": session}).encode()


def life(store: Store, session: str, subject: str = SUBJECT) -> list[str]:
    """Everything that can be kept of one session; gives the identifiers of its event and actions."""
    new = new_event(session, subject=subject, body=body(session), key=f"first of {session}", **FACES)
    search = planned("didit.face_search", params={"comment": NAME}, biometric=True, once="session")
    ids = put(store, new, search, planned(params={"comment": NAME}), planned(state="awaiting_approval"))
    (claim,) = [each for each in claim_all(store) if each.event_id == new.event_id]
    effects = (OpenReview("duplicates", f"{NAME} of {session}"), LabelSession(("odd",), ()))
    store.submit(lambda tx: tx.expect_echo(ids[1], session, "Declined", NOW + 1)).result()
    settle(store, claim, ending(result={"name": NAME, "matches": [LINK]}, reason=f"about {session}", effects=effects))
    store.submit(lambda tx: tx.discard_action(ids[1], "token:ana", NOW, f"I know {NAME}")).result()
    result: JsonObject = {"name": NAME, "link": LINK}
    action: JsonObject = {"action_id": ids[0], "params": {"comment": NAME}}
    put(
        store,
        new_event(session, subject=subject, parent_id=new.event_id, action=action, result=result, occurred_at=None),
    )
    return [new.event_id, *ids]


def erase_now(store: Store, extent: Any = "all", subject: str = SUBJECT) -> dict[str, Any]:
    person = find(store, Wanted(subject, None, extent))
    assert person.ref is not None
    return erase(store, person.ref, extent, "cli:ana", lambda: NOW, "she asked, by letter 17")


def key_bytes(folder: Path) -> list[bytes]:
    """All keys of all subjects, wrapped as they lie in keys.db, and in the clear."""
    found: list[bytes] = []
    with closing(sqlite3.connect(folder / "keys.db")) as connection:
        for wrapped, biometric in connection.execute("SELECT wrapped, biometric FROM subject_key"):
            found += [wrapped[12:], biometric[12:]]
        refs = [ref for (ref,) in connection.execute("SELECT ref FROM subject_key")]
    master = [bytes.fromhex((folder / "master.key").read_text())]
    vault = Keyring(folder / "keys.db", lambda: master, sqlite3.connect, lambda: NOW).vault()
    vault.begin()
    from receiver.store.sealing import unwrap

    with closing(sqlite3.connect(folder / "keys.db")) as connection:
        rows = connection.execute("SELECT ref, wrapped, biometric FROM subject_key").fetchall()
    for ref, wrapped, biometric in rows:
        found.append(unwrap(vault._wrapping, wrapped, b"subject key" + ref))
        found.append(unwrap(vault._wrapping, biometric, b"biometric key" + ref))
    vault.close()
    assert refs
    return found


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


def traces(folder: Path, *secrets: str | bytes) -> list[str | bytes]:
    whole = on_disk(folder)
    return [each for each in secrets if (each if isinstance(each, bytes) else each.encode()) in whole]


def test_no_byte_of_a_person_is_left_in_any_file(store: Store, data_dir: Path) -> None:
    for session in SESSIONS:
        life(store, session)
    keys = key_bytes(data_dir)
    with closing(sqlite3.connect(data_dir / "hookwarden.db")) as connection:
        sealed = [row[0] for row in connection.execute("SELECT document FROM payload")]
        done = [row[0] for row in connection.execute("SELECT same FROM done")]
    names = (SUBJECT, NAME, *SESSIONS, LINK)
    assert traces(data_dir, *SESSIONS) == list(SESSIONS), "the files are searched where they do hold sessions"
    assert len(traces(data_dir, *keys, *sealed, *done)) == len(keys) / 2 + len(sealed) + len(done)
    receipt = erase_now(store)
    assert receipt["scrubbed"] is True
    assert traces(data_dir, *names, *keys, *sealed, *done) == []


def test_no_byte_is_left_among_many_others(store: Store, data_dir: Path) -> None:
    """Pages are split and rows are moved while others come in: also what was left behind there must be gone."""
    for number in range(40):
        life(store, f"ses-of-another-{number:04}", f"somebody-else-{number:04}")
        if number % 20 == 10:
            life(store, SESSIONS[number // 20])
    keys = key_bytes(data_dir)
    erase_now(store)
    left = [key for key in keys if key in on_disk(data_dir)]
    assert len(left) == 80
    assert traces(data_dir, SUBJECT, NAME, *SESSIONS) == []
    with store.read() as reader:
        other: Any = reader.session("ses-of-another-0007")
    assert len(other["events"]) == 2
    assert other["actions"][0]["result"] == {"name": NAME, "matches": [LINK]}


def planted_columns(folder: Path, *words: str) -> set[str]:
    """Which columns of the record hold one of these words in the clear."""
    found = set()
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        connection.text_factory = bytes
        tables = [
            name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            for row in connection.execute(f"SELECT * FROM {table}").fetchall():  # noqa: S608 - names of our own tables
                columns = [each[1].decode() for each in connection.execute(f"PRAGMA table_info({table})")]
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, bytes) and any(word.encode() in value for word in words):
                        found.add(f"{table}.{column}")
    return found


def test_only_rows_that_can_be_erased_lead_to_a_person(store: Store, data_dir: Path) -> None:
    """No personal data in leaves, in what they are found by, or anywhere that an erasure does not reach."""
    life(store, SESSIONS[0])
    assert planted_columns(data_dir, NAME, LINK, SUBJECT) == set()
    reached = {"event.session_id", "event.lane", "action.lane", "session.session_id", "session_ref.session_id"}
    reached |= {"label.session_id", "echo.session_id", "attempt.reason", "action.reason"}
    assert planted_columns(data_dir, SESSIONS[0]) <= reached
    erase_now(store)
    assert planted_columns(data_dir, SESSIONS[0], NAME, LINK, SUBJECT) == set()


def test_the_receipt_can_be_checked_by_anybody(store: Store) -> None:
    life(store, SESSIONS[0])
    receipt = erase_now(store)
    checkpoint = open_checkpoint(receipt["checkpoint"], store.verifier)
    leaf = base64.b64decode(receipt["leaf"])
    proof = [base64.b64decode(each) for each in receipt["proof"]]
    assert receipt["size"] == checkpoint.size
    assert is_included(leaf_hash(leaf), receipt["idx"], checkpoint.size, proof, checkpoint.root)
    content = json.loads(leaf)
    assert (content["kind"], content["actor"], content["facts"]["subject"]) == (
        "erasure",
        "cli:ana",
        receipt["subject_ref"],
    )
    assert int(content["facts"]["events"]) == 2
    assert b"letter" not in leaf


def test_every_entry_is_still_proved(store: Store) -> None:
    life(store, SESSIONS[0])
    with store.read() as reader:
        before = [reader.audit_entry(idx) for idx in range(reader.tree_size())]
    erase_now(store)
    with store.read() as reader:
        after = [reader.audit_entry(idx) for idx in range(len(before))]
    assert [entry and entry["leaf"] for entry in before] == [entry and entry["leaf"] for entry in after]


def test_what_was_erased_reads_as_null(store: Store) -> None:
    event_id, *actions = life(store, SESSIONS[0])
    erase_now(store)
    with store.read() as reader:
        event: Any = reader.event(event_id, raw=True)
        assert reader.session(SESSIONS[0]) is None
        states = [(item["state"], item["reason"]) for item in map(reader.action, actions) if item]
    assert (event["event"], event["raw"], event["erased"]) == (None, None, True)
    assert event["decision"]["policy"]["name"] == "face"
    assert states == [("done", None), ("rejected", None), ("rejected", "person erased")]


def test_a_redelivery_is_still_a_duplicate_and_a_new_event_a_new_person(store: Store) -> None:
    event_id, *_ = life(store, SESSIONS[0])
    first = erase_now(store)
    known = store.submit(lambda tx: tx.known("didit", f"first of {SESSIONS[0]}")).result()
    assert known is not None
    assert (known.event_id, known.body) == (event_id, b"")
    assert store.submit(lambda tx: tx.session("didit", SESSIONS[0])).result() is None
    person = find(store, Wanted(SUBJECT, None))
    assert (person.ref, person.erased_at) == (None, NOW)
    life(store, SESSIONS[1])
    second = erase_now(store)
    assert first["subject_ref"] != second["subject_ref"]
    with pytest.raises(NotFound):
        find(store, Wanted("nobody", None))
    with pytest.raises(NotFound):
        find(store, Wanted(None, SESSIONS[1]))


def test_a_call_in_flight_leaves_nothing(store: Store, data_dir: Path) -> None:
    put(store, new_event(SESSIONS[0]), planned(), planned())
    (claim,) = claim_all(store)
    erase_now(store)
    assert not settle(store, claim, ending(result={"name": NAME}, reason=f"no such session {SESSIONS[0]}"))
    assert claim_all(store, NOW + 100_000) == []
    assert traces(data_dir, SESSIONS[0], NAME) == []
    with store.read() as reader:
        assert {item["state"] for item in reader.actions().items} == {"rejected"}
        assert reader.counts()["actions"]["rejected"] == 2
        assert reader.counts()["actions"]["running"] == 0


def test_an_event_of_the_same_commit_is_not_found_by_its_session(store: Store, data_dir: Path) -> None:
    new = new_event(SESSIONS[0])

    def both(tx: Any) -> None:
        tx.add_event(new)
        person = tx.find_person(None, SESSIONS[0], "all")
        tx.erase(person.ref, "all", "cli:ana", NOW, "")

    store.submit(both).result()
    assert store.scrub(5)
    assert planted_columns(data_dir, SESSIONS[0]) == set()


def test_biometric_data_goes_first_and_the_decision_stays(store: Store, data_dir: Path) -> None:
    event_id, search, blocking, _ = life(store, SESSIONS[0])
    keys = key_bytes(data_dir)
    receipt = erase_now(store, "biometric")
    assert receipt["scrubbed"]
    assert [key in on_disk(data_dir) for key in keys] == [True, False, False, False]
    with store.read() as reader:
        event: Any = reader.event(event_id, raw=True)
        session: Any = reader.session(SESSIONS[0])
        searched: Any = reader.action(search)
        blocked: Any = reader.action(blocking)
    assert event["erased"] == ["biometric"]
    assert [event["event"][name] for name in ("images", "liveness", "face_match", "matches")] == [None] * 4
    assert (event["raw"], event["event"]["vendor_data"]) == (None, SUBJECT)
    assert event["decision"]["rules"][0]["conditions"][0]["inputs"] == {"event.liveness.score": 3.5}
    assert (searched["params"], searched["result"], searched["erased"]) == (None, None, ["biometric"])
    assert blocked["params"] == {"comment": NAME}
    assert session["reviews"][0]["reason"] == f"{NAME} of {SESSIONS[0]}"
    assert store.submit(lambda tx: tx.load_event(event_id)).result() is None, "half an event is not decided again"
    assert not is_there(find(store, Wanted(SUBJECT, None, "biometric")), "biometric")
    life(store, SESSIONS[1])
    with store.read() as reader:
        assert reader.session(SESSIONS[1]) is not None
        assert reader.event(event_id, raw=True) == event, "a new key does not bring back what the old one sealed"


def test_members_come_back_as_they_were(store: Store) -> None:
    full, bare = new_event("a", **FACES), new_event("b", images=None)
    for new in (full, bare):
        put(store, new)
        with store.read() as reader:
            event: Any = reader.event(new.event_id, raw=True)
        assert event["event"] == new.event.document
        assert list(event["event"]) == list(new.event.document)
        assert event["raw"] == new.event.raw
        assert "erased" not in event
        loaded = store.submit(lambda tx, new=new: tx.load_event(new.event_id)).result()  # type: ignore[misc]  # the loop's value
        assert loaded is not None
        assert (loaded.event.document, loaded.event.raw) == (new.event.document, new.event.raw)


def test_trying_changes_nothing(store: Store, data_dir: Path) -> None:
    life(store, SESSIONS[0])
    person = find(store, Wanted(None, SESSIONS[0]))
    assert person.ref is not None
    with store.read() as reader:
        before = (reader.session(SESSIONS[0]), reader.counts(), reader.tree_size())
    counts = preview(store, person.ref, "all", "cli:ana", NOW)
    assert counts["events"] == 2
    assert counts["unfinished_actions"] == 1
    with store.read() as reader:
        assert (reader.session(SESSIONS[0]), reader.counts(), reader.tree_size()) == before
    assert erase_now(store)["destroyed"] == counts


def test_others_that_have_the_file_open_forget_the_key(store: Store, reopen: Open) -> None:
    event_id, *_ = life(store, SESSIONS[0])
    other = reopen()
    with other.read() as reader:
        before: Any = reader.event(event_id, raw=True)
    assert before["raw"]["name"] == NAME
    erase_now(store)
    with other.read() as reader:
        event: Any = reader.event(event_id, raw=True)
    assert (event["raw"], event["erased"]) == (None, True)
    assert other.submit(lambda tx: tx.load_event(event_id)).result() is None


def test_a_reader_that_does_not_let_go_is_told_of(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.erasing.SCRUB_SECONDS", 0.1)
    life(store, SESSIONS[0])
    with store.read() as reader:
        reader.counts()
        assert erase_now(store)["scrubbed"] is False
    assert store.scrub(5)


def test_deliveries_wait_while_the_logs_are_cut_and_none_is_turned_away(store: Store, reopen: Open) -> None:
    """Each is of a new person, so that keys are written too; one store cuts, and another takes in."""
    other, ended = reopen(), threading.Event()
    tries: list[bool] = []

    def cut() -> None:
        while not ended.is_set():
            tries.append(store.scrub(0.0))

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        for number in range(100):
            put(other, new_event(f"ses-{number}", subject=f"person-{number}"))
    finally:
        ended.set()
        cutting.join()
    assert any(tries)


@pytest.fixture
def killed(data_dir: Path) -> Callable[[str], None]:
    """Erases in a process of its own that is killed in the middle: after what the argument names."""

    def run(after: str) -> None:
        command = [sys.executable, "-m", "tests.support.erasing_killed", str(data_dir), SUBJECT, after]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == -9, done.stderr

    return run


@pytest.mark.parametrize(("after", "gone"), [("forget", False), ("keys", True), ("main", True)])
def test_kill_9_leaves_a_whole_person_or_none(
    reopen: Open, data_dir: Path, killed: Callable[[str], None], after: str, gone: bool
) -> None:
    store = reopen()
    event_id, *_ = life(store, SESSIONS[0])
    keys = key_bytes(data_dir)
    store.close()
    killed(after)
    store = reopen()
    with store.read() as reader:
        event: Any = reader.event(event_id, raw=True)
        entries = reader.audit("kind:erasure").items
        whole = reader.session(SESSIONS[0])
    assert (event["raw"] is None, whole is None, len(entries)) == ((True, True, 1) if gone else (False, False, 0))
    assert find(store, Wanted(SUBJECT, None)).personal is not gone
    if gone:
        assert traces(data_dir, SUBJECT, NAME, *SESSIONS, *keys) == [], "opening has cut the logs of the files too"
        with closing(sqlite3.connect(data_dir / "keys.db")) as connection:
            assert connection.execute("SELECT count(*) FROM erasure WHERE open").fetchone() == (0,)


def test_a_database_of_an_older_program_is_read_and_erased(store: Store, reopen: Open, data_dir: Path) -> None:
    """What was sealed whole under the personal key stays readable, and is not sealed anew."""
    new = new_event(SESSIONS[0], **FACES)
    put(store, new)
    _as_before(data_dir, new)
    with store.read() as reader:
        event: Any = reader.event(new.event_id, raw=True)
    assert event["raw"] == new.event.raw
    assert event["event"]["matches"] == FACES["matches"]
    assert "erased" not in event
    put(store, new_event(SESSIONS[1]))
    erase_now(store, "biometric")
    with store.read() as reader:
        event = reader.event(new.event_id, raw=True)
    assert (event["event"], event["raw"]) == (None, None), "what cannot be parted goes whole"


def _as_before(folder: Path, new: Any) -> None:
    """Put an event as an older program sealed it in place of ours, and take the biometric key away."""
    from receiver.store.documents import dump
    from receiver.store.sqlite.places import body_place, document_place

    master = [bytes.fromhex((folder / "master.key").read_text())]

    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None)

    vault = Keyring(folder / "keys.db", lambda: master, connect, lambda: NOW).vault()
    vault.begin()
    key = vault.of_subject(new.subject)
    kept = {"document": new.event.document, "subject": new.subject, "dedupe_key": "k", "action": None, "result": None}
    row = (
        key.seal(new.body, body_place(new.event_id)),
        key.seal(dump(kept), document_place(new.event_id)),
    )
    vault.rollback()
    vault.close()
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        connection.execute("UPDATE payload SET body = ?, document = ?, biometric = NULL, parted = 0", row)
        connection.commit()
    with closing(sqlite3.connect(folder / "keys.db")) as connection:
        connection.execute("UPDATE subject_key SET biometric = NULL")
        connection.commit()


def test_a_preview_leaves_what_comes_in_with_it_findable(store: Store) -> None:
    old = new_event("ses-7", subject="p7")
    put(store, old)
    ref = store.submit(lambda tx: tx.find_person("p7", None, "all")).result().ref
    assert ref is not None
    entered, leave = threading.Event(), threading.Event()

    def wait(_: Any) -> None:
        entered.set()
        leave.wait(10)

    store.submit(wait)
    assert entered.wait(10)
    new = new_event("ses-7", subject="p7")
    jobs: list[Any] = [store.submit(lambda tx: tx.add_event(new))]
    jobs.append(store.submit(lambda tx: tx.try_erasure(ref, "all", "cli:ana", NOW)))
    leave.set()
    for job in jobs:
        job.result(10)
    with store.read() as reader:
        found = {entry["event_id"] for entry in reader.audit("session:ses-7").items}
    assert found == {old.event_id, new.event_id}


def test_an_erasure_in_one_commit_with_the_event_leaves_nothing_findable(store: Store) -> None:
    put(store, new_event("ses-8", subject="p8"))
    ref = store.submit(lambda tx: tx.find_person("p8", None, "all")).result().ref
    assert ref is not None

    def both(tx: Any) -> None:
        tx.add_event(new_event("ses-8", subject="p8"))
        tx.erase(ref, "all", "cli:ana", NOW, "asked")

    store.submit(both).result(10)
    with store.read() as reader:
        assert not reader.audit("session:ses-8").items
    later = new_event("ses-8", subject="p8")
    put(store, later)
    with store.read() as reader:
        assert {entry["event_id"] for entry in reader.audit("session:ses-8").items} == {later.event_id}
