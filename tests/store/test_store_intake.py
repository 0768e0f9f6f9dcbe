"""What comes in: dedupe, the place in the session, echoes, events and decisions read back."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from receiver.contract import FEATURE_STATUSES, SESSION_STATUSES, JsonObject, PlannedAction
from receiver.erasing import Wanted, erase, find
from receiver.errors import NotFound
from receiver.policy.lint.words import KNOWN_EVENTS
from receiver.store.port import Store, Transaction
from receiver.store.sqlite.clear import in_clear
from receiver.vendors.tags import KNOWN_TAGS
from tests.support.store_samples import LINK, NOW, POLICY, SUBJECT, new_event, planned, put, record, sample_decision


def test_an_unknown_delivery_is_unknown(store: Store) -> None:
    assert store.submit(lambda tx: tx.known("didit", "key-1")).result() is None


def test_known_gives_the_first_event_and_its_body(store: Store) -> None:
    new = new_event(key="key-1")
    put(store, new)
    known = store.submit(lambda tx: tx.known("didit", "key-1")).result()
    assert known is not None
    assert (known.event_id, known.body) == (new.event_id, new.body)


def test_the_same_key_at_another_source_is_another_event(store: Store) -> None:
    put(store, new_event(key="key-1"))
    assert store.submit(lambda tx: tx.known("kwikid", "key-1")).result() is None
    put(store, new_event(key="key-1", source="kwikid"))


def test_the_same_delivery_from_many_threads_at_once_is_one_event(store: Store) -> None:
    """I2: whoever comes second in the same commit sees the first."""
    gate = threading.Barrier(8)

    def deliver(_: int) -> str:
        new = new_event(key="same")

        def job(tx: Transaction) -> str:
            known = tx.known("didit", "same")
            if known is None:
                record(tx, new, [planned()])
                return "accepted"
            tx.redelivered(known.event_id, NOW, differs=False)
            return "duplicate"

        gate.wait()
        return store.submit(job).result(10)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(deliver, range(8)))
    assert sorted(answers) == ["accepted"] + 7 * ["duplicate"]
    with store.read() as reader:
        (event,) = reader.events().items
        assert event["deliveries"] == 8
        assert reader.counts()["actions"]["planned"] == 1


def test_a_redelivery_with_another_body_is_noted_and_one_with_the_same_is_only_counted(store: Store) -> None:
    new = new_event()
    put(store, new)
    store.submit(lambda tx: tx.redelivered(new.event_id, NOW + 1, differs=False)).result()
    store.submit(lambda tx: tx.redelivered(new.event_id, NOW + 2, differs=True)).result()
    with store.read() as reader:
        (entry,) = reader.audit("kind:redelivery").items
        assert (entry["event_id"], entry["outcome"]) == (new.event_id, "different body")
        document = reader.event(new.event_id, raw=False)
    assert document is not None
    assert document["deliveries"] == 3


def test_a_redelivery_of_nothing_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        store.submit(lambda tx: tx.redelivered("evt_none", NOW, differs=False)).result()


def _state(store: Store) -> tuple[Any, ...] | None:
    state = store.submit(lambda tx: tx.session("didit", "ses-1")).result()
    return None if state is None else (state.occurred_at, state.status, state.subject)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"occurred_at": 200, "status": "Approved"}, (200, "Approved", SUBJECT)),
        ({"occurred_at": 50, "status": "Approved", "stale": True}, (100, "Declined", SUBJECT)),
        ({"occurred_at": None, "status": "Approved"}, (100, "Declined", SUBJECT)),
        ({"occurred_at": 200, "status": None}, (200, "Declined", SUBJECT)),
        ({"occurred_at": 200, "status": "Approved", "subject": "someone else"}, (200, "Approved", SUBJECT)),
        ({"occurred_at": 200, "status": "Approved", "parent_id": "evt_parent"}, (100, "Declined", SUBJECT)),
        ({"occurred_at": 10**30, "status": "Approved"}, (100, "Declined", SUBJECT)),
    ],
    ids=["newer", "stale", "no time", "no status", "another subject", "a result", "no calendar's time"],
)
def test_how_an_event_moves_its_session(store: Store, second: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """I3: an older state never overwrites a newer one, and a session keeps its first subject."""
    assert _state(store) is None
    put(store, new_event(occurred_at=100))
    put(store, new_event(**second))
    assert _state(store) == expected


def test_without_any_times_the_newest_status_counts(store: Store) -> None:
    put(store, new_event(occurred_at=None))
    put(store, new_event(occurred_at=None, status="Approved"))
    assert _state(store) == (None, "Approved", SUBJECT)


def test_sessions_of_two_sources_are_two(store: Store) -> None:
    put(store, new_event(occurred_at=100))
    put(store, new_event(occurred_at=50, source="kwikid", status="Approved"))
    assert _state(store) == (100, "Declined", SUBJECT)


def test_an_event_without_session_is_stored(store: Store) -> None:
    new = new_event(None)
    (action,) = put(store, new, planned())
    with store.read() as reader:
        document = reader.action(action)
    assert document is not None
    assert (document["session_id"], document["event_id"]) == (None, new.event_id)


def test_an_event_comes_back_as_it_was(store: Store) -> None:
    new = new_event(key="key-1")
    put(store, new)
    stored = store.submit(lambda tx: tx.load_event(new.event_id)).result()
    assert stored is not None
    assert (stored.event_id, stored.event, stored.lane, stored.subject) == (new.event_id, new.event, new.lane, SUBJECT)


def test_a_result_event_comes_back_with_its_action(store: Store) -> None:
    parent = new_event()
    put(store, parent)
    action: JsonObject = {"name": "didit.face_search"}
    result: JsonObject = {"total_matches": 10**40, "face": "\ud800"}
    body = b'{"action": {"name": "didit.face_search"}, "result": {}}'
    new = new_event(parent_id=parent.event_id, action=action, result=result, body=body, occurred_at=None)
    put(store, new)
    stored = store.submit(lambda tx: tx.load_event(new.event_id)).result()
    assert stored is not None
    assert (stored.event.action, stored.event.result, stored.event.depth) == (action, result, 1)
    assert stored.event.raw == {"action": action, "result": {}}
    with store.read() as reader:
        document = reader.event(new.event_id, raw=True)
    assert document is not None
    assert (document["parent_id"], document["receipt"]) == (parent.event_id, None)


def test_what_has_neither_tags_nor_a_status_nor_a_rule_that_fired_is_stored(store: Store) -> None:
    new = new_event(tags=[], status=None)

    def job(tx: Transaction) -> None:
        tx.add_event(new)
        tx.add_decision(new.event_id, sample_decision(rules=(), status=None), NOW)

    store.submit(job).result()
    with store.read() as reader:
        entry: Any = reader.audit_entry(1)
    assert {"tags", "status", "rules"}.isdisjoint(entry["content"])


def test_loading_nothing_gives_nothing(store: Store) -> None:
    assert store.submit(lambda tx: tx.load_event("evt_none")).result() is None


def test_text_that_utf8_cannot_hold_is_stored_and_found(store: Store) -> None:
    """Lone surrogates in a raw-signed body are kept as they came; in columns they become escapes."""
    odd = "ses-\ud800"
    new = new_event(odd, key="k-\ud801", type="status.\ud802", tags=["T\ud803"], status="S\ud804", source="didit")
    (action,) = put(store, new, planned(reason="r\ud805", params={"x": "\ud806"}))
    assert store.submit(lambda tx: tx.session("didit", odd)).result() is not None
    assert store.submit(lambda tx: tx.known("didit", "k-\ud801")).result() is not None
    with store.read() as reader:
        assert len(reader.events(session_id=odd).items) == 1
        assert len(reader.audit('tag:"T\ud803"').items) == 2
        document = reader.action(action)
        event = reader.event(new.event_id, raw=False)
    assert document is not None
    assert event is not None
    assert (document["params"], document["reason"]) == ({"x": "\ud806"}, "r\\ud805")
    assert event["event"] == new.event.document
    loaded = store.submit(lambda tx: tx.load_event(new.event_id)).result()
    assert loaded is not None
    assert loaded.event == new.event


def test_no_subject_means_the_lane(store: Store) -> None:
    """An erased session has no subject: what comes after must not be sealed under a key that strangers share."""
    first, second = new_event("ses-a", subject=""), new_event("ses-b", subject="")
    put(store, first)
    put(store, second)
    for new in (first, second):
        assert store.submit(lambda tx, new=new: tx.load_event(new.event_id)).result() is not None  # type: ignore[misc]  # the loop's value


def _take(store: Store, at: int = NOW, status: str = "Declined") -> str | None:
    return store.submit(lambda tx: tx.take_echo("didit", "ses-1", status, at)).result()


def _expect(store: Store, action_id: str, until: int = NOW + 1000) -> None:
    store.submit(lambda tx: tx.expect_echo(action_id, "ses-1", "Declined", until)).result()


def test_an_echo_is_taken_once_per_call_the_oldest_first(store: Store) -> None:
    _expect(store, "act_1")
    _expect(store, "act_2")
    assert [_take(store), _take(store), _take(store)] == ["act_1", "act_2", None]


def test_asking_twice_for_one_call_counts_once_also_after_it_was_taken(store: Store) -> None:
    _expect(store, "act_1", until=NOW - 1)
    _expect(store, "act_1")
    assert [_take(store), _take(store)] == ["act_1", None]
    _expect(store, "act_1")
    assert _take(store) is None


def test_an_echo_is_of_its_status_and_its_time(store: Store) -> None:
    _expect(store, "act_1")
    assert _take(store, status="Approved") is None
    assert _take(store, at=NOW + 1001) is None
    assert _take(store, at=NOW + 1000) == "act_1"


def test_a_dropped_echo_does_not_come(store: Store) -> None:
    _expect(store, "act_1")
    store.submit(lambda tx: tx.drop_echo("act_1")).result()
    assert _take(store) is None


def test_firings_count_events_and_not_actions_nor_what_was_skipped_or_parked(store: Store) -> None:
    def limited(**fields: Any) -> PlannedAction:
        return planned(limit=(5, 60), **fields)

    put(store, new_event(at=NOW - 10_000), limited())
    put(store, new_event(), limited(), limited(name="review"), limited(rule="other"))
    put(store, new_event(), limited(state="awaiting_approval"))
    put(store, new_event(), limited(state="skipped"))
    assert store.submit(lambda tx: tx.firings_since("attack", NOW - 5_000)).result() == 1
    assert store.submit(lambda tx: tx.firings_since("attack", NOW - 10_000)).result() == 2


def test_the_newest_decision_is_the_one_shown(store: Store) -> None:
    """A replay adds a decision and its actions; none is lost."""
    new = new_event()
    first = put(store, new, planned())

    def replay(tx: Transaction) -> list[str]:
        tx.add_decision(new.event_id, sample_decision(outcome="undecided", reason="budget"), NOW + 5, "token:ops")
        return tx.add_actions(new.event_id, [planned(name="review")], NOW + 5)

    second = store.submit(replay).result()
    with store.read() as reader:
        document: Any = reader.event(new.event_id, raw=False)
        assert [event["outcome"] for event in reader.events().items] == ["undecided"]
        session: Any = reader.session("ses-1")
    assert (document["decision"]["outcome"], document["decision"]["reason"]) == ("undecided", "budget")
    assert [action["action_id"] for action in document["actions"]] == first + second
    assert len({*first, *second}) == 2
    assert [(each["outcome"], each["actor"]) for each in session["decisions"]] == [
        ("decided", "engine"),
        ("undecided", "token:ops"),
    ]


def test_the_whole_event_is_as_the_api_shows_it(store: Store) -> None:
    new = new_event()
    (action_id,) = put(store, new, planned())
    with store.read() as reader:
        document: Any = reader.event(new.event_id, raw=True)
        without = reader.event(new.event_id, raw=False)
        assert reader.event("evt_none", raw=False) is None
    assert without is not None
    assert "raw" not in without
    assert document.pop("raw") == new.event.raw
    assert document.pop("event") == new.event.document
    (action,) = document.pop("actions")
    decision = document.pop("decision")
    assert document == {
        "event_id": new.event_id,
        "parent_id": None,
        "source": "didit",
        "received_at": "2026-11-18T11:06:40.000Z",
        "deliveries": 1,
        "receipt": {
            "method": "x-signature",
            "secret": 0,
            "signed_at": "2026-11-18T11:06:40.000Z",
            "notes": ["a note"],
        },
    }
    assert decision["policy"] == {"name": "face", "sha256": POLICY.sha256, "mode": "enforce"}
    assert decision["rules"][0] == {
        "id": "attack",
        "fired": True,
        "mode": "enforce",
        "line": 10,
        "conditions": [
            {
                "expr": "event.liveness.score < 50.0",
                "value": True,
                "line": 12,
                "inputs": {"event.liveness.score": 3.5},
                "missing": [],
            }
        ],
    }
    assert decision["rules"][2]["conditions"][0]["missing"] == ["event.age"]
    assert (decision["values"], decision["status"]) == ({"top_face": 96.37}, "Declined")
    assert (action["action_id"], action["params"], action["state"]) == (action_id, {"face": True}, "planned")
    assert (action["attempts"], action["result"], action["deeds"]) == ([], None, [])
    assert LINK in str(without["event"])


ODD_TAG = "https://cdn.example.invalid/face.jpg?sig=MARKED Dana Smith 1990-01-01"
ODD: dict[str, Any] = {
    "tags": [ODD_TAG, "BLUR", "Jane Doe", "19900101"],
    "status": "Declined MARKED",
    "type": "the type of MARKED",
}


def test_only_codes_of_a_vendor_stand_in_the_clear(store: Store, data_dir: Path) -> None:
    """They outlive the person there, and every role reads them; rules see what was sent."""
    new = new_event(**ODD)
    put(store, new)
    with store.read() as reader:
        (event,) = reader.events().items
        leaves = [str(reader.leaf(idx)) for idx in range(reader.tree_size())]
        session: Any = reader.session("ses-1")
        whole: Any = reader.event(new.event_id, raw=False)
    tags: Any = event["tags"]
    assert tags[1] == "BLUR"
    shown: Any = (tags[0], tags[2], tags[3], event["status"], event["type"], session["status"])
    for text in shown:
        assert re.fullmatch(r"\[text [0-9a-f]{12}\]", text)
    assert whole["event"] == new.event.document
    stored = store.submit(lambda tx: tx.load_event(new.event_id)).result()
    assert stored is not None
    assert stored.event == new.event
    person = find(store, Wanted(SUBJECT, None))
    assert person.ref is not None
    erase(store, person.ref, "all", "cli:ana", lambda: NOW, "")
    store.close()
    files = b"".join(file.read_bytes() for file in data_dir.iterdir() if file.is_file())
    for text in ("MARKED", "Dana", "Jane Doe", "1990-01-01", "19900101", "cdn.example"):
        assert text not in "".join(leaves)
        assert text.encode() not in files


def test_what_does_not_stand_in_the_clear_is_found_by_what_was_sent_and_by_what_is_shown(store: Store) -> None:
    put(store, new_event(**ODD))
    with store.read() as reader:
        (event,) = reader.events().items
        shown: Any = event["tags"]
        for query in (f'tag:"{ODD_TAG}"', f'tag:"{shown[0]}"', 'tag:"Jane Doe" tag:BLUR', 'status:"Declined MARKED"'):
            assert reader.audit_count(query) == len(reader.audit(query).items) > 0
        assert reader.audit('"Jane Doe"').items == []
        assert reader.audit('-tag:"Jane Doe" kind:event').items == []


def _no_hash(_purpose: bytes, _text: str) -> bytes:
    return bytes(16)


@pytest.mark.parametrize("word", [*KNOWN_TAGS, *KNOWN_EVENTS, *SESSION_STATUSES, *FEATURE_STATUSES, "aml:hit", "v2.1"])
def test_known_words_and_codes_stand_as_they_came(word: str) -> None:
    assert in_clear(word, _no_hash) == word


@pytest.mark.parametrize(
    "word", ["", "x" * 65, "a b", "+48123456", "a@b.example", "x://y", "1990-01-01", "Zo\u00eb", "a\n"]
)
def test_what_is_no_code_is_withheld(word: str) -> None:
    assert in_clear(word, _no_hash) == "[text 000000000000]"


def test_a_decided_status_that_is_no_code_is_compared_as_it_was(store: Store) -> None:
    new = new_event()

    def job(tx: Transaction) -> None:
        tx.add_event(new)
        tx.add_decision(new.event_id, sample_decision(status="Sent to Jane Doe"), NOW)

    store.submit(job).result()
    with store.read() as reader:
        (past,) = reader.past(0, 10, 0, NOW + 1)
        entries: Any = reader.audit("kind:decision", whole=True).items
    assert past.decision is not None
    assert past.decision.in_short().status == "Sent to Jane Doe"
    assert entries[0]["content"]["status"].startswith("[text ")
