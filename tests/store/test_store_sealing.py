"""What lies on disk: nothing that a person could be known by, and files that fit each other."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from receiver.contract import OpenReview
from receiver.errors import ConfigurationError, StoreUnavailable
from receiver.store.keyring import Keyring
from receiver.store.master import make
from receiver.store.port import Store
from receiver.store.sqlite.connect import connect_keys
from tests.support.store_samples import LINK, NAME, NOW, SUBJECT, claim_all, ending, new_event, planned, put, settle

Open = Callable[..., Store]


def _busy_life(store: Store) -> str:
    """An event, its decision, an action with parameters, result, case, note and reasons: all with personal data."""
    new = new_event("ses-1", body=json.dumps({"name": NAME, "image": LINK, "who": SUBJECT}).encode())
    first, second = put(
        store, new, planned(params={"comment": NAME}), planned(state="awaiting_approval", params={"comment": NAME})
    )
    (claim,) = claim_all(store)
    case = OpenReview("duplicates", f"{NAME} looks like {SUBJECT}")
    settle(store, claim, ending(result={"name": NAME, "image": LINK}, effects=(case,)))
    with store.read() as reader:
        (review,) = reader.reviews().items
    review_id = str(review["review_id"])
    store.submit(lambda tx: tx.approve_action(second, "token:ana", NOW, f"I know {NAME}")).result()
    store.submit(lambda tx: tx.resolve_review(review_id, "token:ana", NOW, "confirmed", f"it is {NAME}")).result()
    assert first != second
    return new.event_id


def test_no_file_holds_a_name_a_link_or_a_subject(store: Store, data_dir: Path) -> None:
    event_id = _busy_life(store)
    files = [file for file in data_dir.iterdir() if file.is_file()]
    whole = b"".join(file.read_bytes() for file in files)
    assert event_id.encode() in whole, "the files were read while they hold what was written"
    for secret in (NAME, NAME.split()[1], LINK, LINK.rpartition("=")[2], SUBJECT, "looks like", "face_age"):
        for spelling in (secret.encode(), secret.encode("utf-16-le"), base64.b64encode(secret.encode())[:-4]):
            assert spelling not in whole, secret


def test_no_leaf_names_the_session(store: Store) -> None:
    """A leaf cannot be erased: it holds the session only as a salted hash, the same for all entries of the session."""
    _busy_life(store)
    with store.read() as reader:
        entries: list[Any] = [reader.audit_entry(idx) for idx in range(reader.audit_count())]
    leaves = [base64.b64decode(entry["leaf"]) for entry in entries]
    assert len({json.loads(leaf)["session"] for leaf in leaves}) == 1
    for leaf in leaves:
        assert b"ses-1" not in leaf
        assert hashlib.sha256(b"ses-1").hexdigest().encode() not in leaf
    assert [entry["kind"] for entry in entries] == [
        "event",
        "decision",
        "action",
        "action",
        "action",
        "review",
        "operator",
        "operator",
    ]


def test_a_leaf_holds_the_hashes_of_what_was_sealed(store: Store, data_dir: Path) -> None:
    _busy_life(store)
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    body, document, biometric = connection.execute("SELECT body, document, biometric FROM payload").fetchone()
    decision = connection.execute("SELECT document FROM decision").fetchone()[0]
    leaves = [json.loads(leaf) for (leaf,) in connection.execute("SELECT leaf FROM entry ORDER BY idx")]
    connection.close()
    assert leaves[0]["body"] == {
        "body": hashlib.sha256(body).hexdigest(),
        "document": hashlib.sha256(document).hexdigest(),
        "biometric": hashlib.sha256(biometric).hexdigest(),
    }
    assert leaves[1]["body"] == {"decision": hashlib.sha256(decision).hexdigest()}
    assert [list(leaf["body"]) for leaf in leaves[2:]] == [
        ["params"],
        ["params"],
        ["result"],
        ["reason"],
        ["reason"],
        ["note"],
    ]


def test_equal_contents_look_different(store: Store, data_dir: Path) -> None:
    put(store, new_event("ses-1", body=b"{}"))
    put(store, new_event("ses-2", body=b"{}"))
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    bodies = {body for (body,) in connection.execute("SELECT body FROM payload")}
    sessions = {json.loads(leaf).get("session") for (leaf,) in connection.execute("SELECT leaf FROM entry")}
    connection.close()
    assert len(bodies) == 2
    assert len(sessions) == 2


def test_each_person_has_one_key(store: Store, data_dir: Path) -> None:
    for subject in ("one", "two", "one"):
        put(store, new_event(f"ses-{subject}", subject=subject))
    connection = sqlite3.connect(data_dir / "keys.db")
    assert connection.execute("SELECT count(*) FROM subject_key").fetchone() == (2,)
    connection.close()


def _erase_all(data_dir: Path) -> None:
    connection = sqlite3.connect(data_dir / "keys.db")
    connection.execute("DELETE FROM subject_key")
    connection.commit()
    connection.close()


def test_what_has_no_key_any_more_reads_as_null_with_a_mark(store: Store, data_dir: Path) -> None:
    """Also at once in a process that had the key in use. No entry says that it was erased, so neither does this."""
    event_id = _busy_life(store)
    _erase_all(data_dir)
    with store.read() as reader:
        event: Any = reader.event(event_id, raw=True)
        session: Any = reader.session("ses-1")
        (review,) = reader.reviews().items
        assert reader.audit_count("session:ses-1") == 8
    assert (event["event"], event["raw"], event["unreadable"]) == (None, None, True)
    assert (event["decision"]["rules"], event["decision"]["unreadable"], event["decision"]["outcome"]) == (
        [],
        True,
        "decided",
    )
    assert event["decision"]["policy"]["name"] == "face"
    actions = [(each["params"], each["unreadable"], each["result"]) for each in session["actions"]]
    assert actions == 2 * [(None, True, None)]
    assert session["actions"][1]["deeds"][0]["reason"] is None
    assert (review["reason"], review["note"], review["unreadable"]) == (None, None, True)


def test_life_goes_on_after_an_erasure(store: Store, data_dir: Path) -> None:
    """What came before cannot run or be decided any more; what comes after is a new person's."""
    new = new_event("ses-1", key="k")
    ids = put(store, new, planned(state="awaiting_approval"), planned(), planned())
    (running,) = claim_all(store)
    _erase_all(data_dir)
    known = store.submit(lambda tx: tx.known("didit", "k")).result()
    assert known is not None
    assert known.body == b""
    store.submit(lambda tx: tx.redelivered(new.event_id, NOW, differs=False)).result()
    state = store.submit(lambda tx: tx.session("didit", "ses-1")).result()
    assert state is not None
    assert state.subject == ""
    assert store.submit(lambda tx: tx.load_event(new.event_id)).result() is None
    case = OpenReview("q", "r")
    assert settle(store, running, ending("waiting_retry", due=NOW, result={"a": 1}, effects=(case,)))
    store.submit(lambda tx: tx.approve_action(ids[0], "ops", NOW, "because")).result()
    for _ in ids:
        assert claim_all(store, NOW + 100) == []
    with store.read() as reader:
        assert {item["state"] for item in reader.actions().items} == {"failed"}
        assert {item["reason"] for item in reader.actions().items} == {
            "the person's data cannot be read, and was not erased: see `hookwarden audit verify`"
        }
        assert reader.audit_count("kind:redelivery") == 0
        (review,) = reader.reviews().items
    store.submit(lambda tx: tx.resolve_review(str(review["review_id"]), "ops", NOW, "moot", "n")).result()
    store.submit(lambda tx: tx.add_actions(new.event_id, [planned()], NOW)).result()
    later = new_event("ses-1", subject="")
    put(store, later, planned())
    assert store.submit(lambda tx: tx.load_event(later.event_id)).result() is not None


def test_an_action_that_was_running_when_its_person_was_erased_ends(store: Store, data_dir: Path) -> None:
    put(store, new_event(), planned())
    claim_all(store)
    _erase_all(data_dir)
    assert claim_all(store, NOW + 60_000) == []
    with store.read() as reader:
        (item,) = reader.actions().items
        assert item["state"] == "failed"
        assert [entry["outcome"] for entry in reader.audit("kind:action").items] == ["failed", "lost", "planned"]


def test_a_body_that_was_dropped_reads_as_null(store: Store, data_dir: Path) -> None:
    new = new_event(key="k")
    put(store, new)
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    connection.execute("DELETE FROM payload")
    connection.commit()
    connection.close()
    with store.read() as reader:
        event: Any = reader.event(new.event_id, raw=True)
    assert (event["event"], event["raw"]) == (None, None)
    assert store.submit(lambda tx: tx.known("didit", "k")).result() is not None


def test_a_ciphertext_opens_only_in_its_place(store: Store, data_dir: Path) -> None:
    first, second = new_event(), new_event()
    put(store, first)
    put(store, second)
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    connection.execute("UPDATE payload SET document = (SELECT document FROM payload WHERE n = 1) WHERE n = 2")
    connection.execute("UPDATE payload SET body = x'00' WHERE n = 2")
    connection.commit()
    connection.close()
    with store.read() as reader:
        event: Any = reader.event(second.event_id, raw=True)
    assert (event["event"], event["raw"]) == (None, None)


def test_more_people_than_the_cache_holds(reopen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.store.vault.CACHED_KEYS", 3)
    store, events = reopen(), [new_event(f"ses-{number}", subject=f"person-{number}") for number in range(6)]
    for new in events:
        put(store, new)
    with store.read() as reader:
        documents: list[Any] = [reader.event(new.event_id, raw=False) for new in events]
    assert [document["event"]["session_id"] for document in documents] == [f"ses-{number}" for number in range(6)]


def test_the_files_are_ours_alone(store: Store, data_dir: Path) -> None:
    put(store, new_event())
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in data_dir.iterdir()}
    assert {"hookwarden.db", "keys.db", "master.key"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_the_master_key_is_made_once_and_read_back(reopen: Open, data_dir: Path) -> None:
    store = reopen()
    new = new_event()
    put(store, new)
    store.close()
    text = (data_dir / "master.key").read_text()
    assert len(bytes.fromhex(text)) == 32
    with reopen().read() as reader:
        event: Any = reader.event(new.event_id, raw=True)
    assert event["raw"] == new.event.raw
    assert (data_dir / "master.key").read_text() == text


def test_a_master_key_that_was_given_is_not_written_down(reopen: Open, data_dir: Path) -> None:
    store = reopen(master_key=b"k" * 32)
    new = new_event()
    put(store, new)
    store.close()
    assert not (data_dir / "master.key").exists()
    with reopen(master_key=b"k" * 32).read() as reader:
        event: Any = reader.event(new.event_id, raw=False)
    assert event["event"] is not None


def _write_key(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "master.key").write_text(text)


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (_write_key("ab" * 32), "S002", "does not open with this master key"),
        (_write_key("not hex"), "S001", "does not hold 64 hex digits"),
        (_write_key("abcd"), "S001", "does not hold 64 hex digits"),
        (lambda folder: (folder / "master.key").unlink(), "S001", "put it back"),
        (lambda folder: (folder / "keys.db").unlink(), "S004", "put the two back together"),
    ],
    ids=["another key", "not hex", "too short", "missing", "other keys.db"],
)
def test_files_that_do_not_fit_are_refused_with_the_cure(
    reopen: Open, data_dir: Path, spoil: Callable[[Path], object], code: str, says: str
) -> None:
    """I6: fail closed, at start."""
    store = reopen()
    put(store, new_event())
    store.close()
    spoil(data_dir)
    with pytest.raises(ConfigurationError, match=says) as refused:
        reopen()
    assert [problem.code for problem in refused.value.problems] == [code]


def test_of_two_master_keys_made_at_once_one_stays(tmp_path: Path) -> None:
    """Two processes at their first start: the second keeps the first one's."""
    path = tmp_path / "master.key"
    make(path)
    text = path.read_text()
    make(path)
    assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"]


def test_a_given_master_key_must_have_32_bytes(reopen: Open) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes, not 5"):
        reopen(master_key=b"short")


def test_a_folder_that_cannot_be_used_is_unavailable(reopen: Open, data_dir: Path) -> None:
    data_dir.write_text("a file")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        reopen()


def test_a_file_that_is_no_database_is_unavailable(reopen: Open, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "hookwarden.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        reopen()


def test_keys_that_cannot_be_written_stop_the_batch_and_nothing_else(store: Store, data_dir: Path) -> None:
    """The key comes to disk before what it seals; without it, nothing is stored."""
    put(store, new_event(subject="known"))
    connection = sqlite3.connect(data_dir / "keys.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        put(store, new_event("ses-2", subject="new"))
    connection.execute("ROLLBACK")
    connection.close()
    with store.read() as reader:
        assert len(reader.events().items) == 1
    put(store, new_event("ses-2", subject="new"))


def test_two_vaults_find_the_same_key(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys.db", lambda: [b"m" * 32], connect_keys, lambda: NOW)
    first, second = keyring.vault(), keyring.vault()
    first.begin()
    key = first.of_subject("somebody")
    assert first.of_subject("somebody") is key
    first.commit()
    second.begin()
    assert second.of_subject("somebody").ref == key.ref
    assert second.of_subject("somebody").unseal(key.seal(b"text", b"here"), b"here") == b"text"
    assert key.session_salt("ses-1") == second.of_ref(key.ref).session_salt("ses-1")  # type: ignore[union-attr]  # it is there
    assert second.of_ref(b"nobody") is None
    first.close()
    second.close()


def test_a_master_key_that_is_away_stops_the_store_until_it_is_back(store: Store, data_dir: Path) -> None:
    """It is read again when keys.db may have changed: then writes and new readers are told to try again later."""
    put(store, new_event())
    key, away = data_dir / "master.key", data_dir / "away"
    key.rename(away)
    with closing(sqlite3.connect(data_dir / "keys.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            put(store, new_event("ses-2", subject="new"))
        other.execute("ROLLBACK")
    for broken in (lambda: None, lambda: key.write_text("no hex digits")):
        broken()
        with pytest.raises(StoreUnavailable, match=r"master\.key"):
            put(store, new_event("ses-2", subject="new"))
        with pytest.raises(StoreUnavailable, match=r"master\.key"), store.read():
            pass
    away.replace(key)
    put(store, new_event("ses-2", subject="new"))
    with store.read() as reader:
        assert len(reader.events().items) == 2
