"""Keys that somebody took away or changed in keys.db: nothing claims an erasure that no entry tells of."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from receiver.erasing import Wanted, erase, find, is_there
from receiver.errors import ConfigurationError, NotFound, StoreUnavailable
from receiver.store.port import Store
from tests.support.store_samples import NOW, SUBJECT, claim_all, ending, new_event, planned, put, settle

Open = Callable[..., Store]

GONE = "DELETE FROM subject_key"
CHANGED = "UPDATE subject_key SET wrapped = zeroblob(length(wrapped))"
NO_BYTES = "UPDATE subject_key SET wrapped = 'x', biometric = 7"
FACES_CHANGED = "UPDATE subject_key SET biometric = zeroblob(length(biometric))"
FACES_GONE = "UPDATE subject_key SET biometric = NULL"


def damage(data_dir: Path, statement: str) -> None:
    with closing(sqlite3.connect(data_dir / "keys.db", isolation_level=None)) as connection:
        connection.execute(statement)


def life(store: Store) -> tuple[str, str]:
    """An event with faces, its decision, an action that was done."""
    new = new_event(liveness={"score": 3.5})
    (action_id,) = put(store, new, planned())
    (claim,) = claim_all(store)
    settle(store, claim, ending("done", NOW, result={"n": 1}))
    return new.event_id, action_id


def shown(store: Store, event_id: str, action_id: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    with store.read() as reader:
        event, action, story = reader.event(event_id, raw=True), reader.action(action_id), reader.session("ses-1")
    assert event is not None
    assert action is not None
    assert story is not None
    return event, action, story["decisions"][0]  # type: ignore[index, return-value]  # JSON


@pytest.mark.parametrize("how", [GONE, CHANGED, NO_BYTES])
def test_what_does_not_open_is_unreadable_and_not_erased(store: Store, data_dir: Path, how: str) -> None:
    made = life(store)
    damage(data_dir, how)
    event, action, decision = shown(store, *made)
    for document in (event, action, decision, event["decision"]):
        assert (document.get("unreadable"), document.get("erased")) == (True, None)
    assert (event["event"], event["raw"]) == (None, None)


@pytest.mark.parametrize("how", [FACES_CHANGED, FACES_GONE])
def test_biometric_parts_that_do_not_open_are_unreadable(store: Store, data_dir: Path, how: str) -> None:
    made = life(store)
    damage(data_dir, how)
    event, action, decision = shown(store, *made)
    assert (event["unreadable"], event.get("erased"), event["raw"]) == (["biometric"], None, None)
    assert event["event"]["session_id"] == "ses-1"
    assert "unreadable" not in action
    assert "unreadable" not in decision


@pytest.mark.parametrize("how", [CHANGED, NO_BYTES])
def test_writing_under_a_damaged_key_says_so(store: Store, data_dir: Path, how: str) -> None:
    life(store)
    damage(data_dir, how)
    with pytest.raises(StoreUnavailable, match=r"key of person [0-9a-f]{32} in keys\.db does not open.*restore"):
        put(store, new_event())
    put(store, new_event("other", subject="somebody else"))  # nobody else is hindered


@pytest.mark.parametrize("how", [GONE, CHANGED, NO_BYTES])
def test_a_person_whose_key_is_gone_or_damaged_can_be_erased(store: Store, data_dir: Path, how: str) -> None:
    event_id, action_id = life(store)
    damage(data_dir, how)
    person = find(store, Wanted(None, "ses-1"))
    assert is_there(person, "all")
    assert person.ref is not None
    if how != GONE:
        assert find(store, Wanted(SUBJECT, None)).ref == person.ref
    receipt = erase(store, person.ref, "all", "cli:ana", lambda: NOW, "")
    assert receipt["destroyed"]["payloads"] == 1  # type: ignore[index, call-overload]  # JSON
    with store.read() as reader:
        event = reader.event(event_id, raw=False)
        assert reader.session("ses-1") is None
    assert event is not None
    assert (event["erased"], event.get("unreadable")) == (True, None)
    with closing(sqlite3.connect(data_dir / "hookwarden.db")) as connection:
        assert connection.execute("SELECT count(*) FROM done WHERE action_id = ?", (action_id,)).fetchone() == (0,)
    with pytest.raises(NotFound):
        find(store, Wanted(None, "ses-1"))


def test_a_damaged_secret_is_refused_with_the_cure(reopen: Open, data_dir: Path) -> None:
    life(store := reopen())
    store.close()
    damage(data_dir, "UPDATE secret SET wrapped = zeroblob(length(wrapped)) WHERE name = 'index'")
    with pytest.raises(ConfigurationError, match=r"S002 .*damaged secret.*restore it from a backup"):
        reopen()


def test_a_damaged_key_holds_up_no_other_persons_actions(reopen: Open, data_dir: Path) -> None:
    store = reopen()
    (mine,) = put(store, new_event("ses-1"), planned())
    store.close()
    damage(data_dir, CHANGED)
    store = reopen()
    (other,) = put(store, new_event("ses-2", subject="cust-2"), planned())
    assert [claim.action_id for claim in claim_all(store)] == [other]
    assert [claim.action_id for claim in claim_all(store, NOW + 59_999)] == []
    with store.read() as reader:
        action = reader.action(mine)
    assert action is not None
    assert (action["state"], action["attempts"]) == ("planned", [])  # it waits for a restored keys.db
