"""Stored events read back in bulk: in order, in time, whole, with the decision that stands and what it planned."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from receiver.contract import Event, JsonObject, Verified
from receiver.policy.decide import decide
from receiver.policy.differences import differ
from receiver.policy.recall import PastEvent
from receiver.policy.rules import Policy
from receiver.policy.simulate import simulate
from receiver.record import Arrival, Recorder
from receiver.store.past import CHUNK, past_events
from receiver.store.port import Store
from receiver.store.shapes import Claim
from tests.support.policies import event_of, policy_from
from tests.support.store_samples import NOW, claim_all, ending, settle

FOREVER = 1 << 60
POLICY = """\
rules:
- {id: low, when: event.liveness.score < 60, then: [note: {score: '{{ event.liveness.score }}'}]}
- {id: ask, tags: [DUPLICATED_FACE], then: [{didit.face_search: {min_similarity: 70}, needs_approval: true}]}
- {id: try, mode: shadow, then: [note: {x: 1}]}
- {id: often, tags: [FACE_IN_BLOCKLIST], then: [note: {x: 2}], limit: 1/hour}
- {id: twins, on: action.didit.face_search, when: result.total_matches > 1, then: [review: {queue: q}]}
"""


def fill(store: Store, policy: Policy, *events: Event, dry_run: bool = False, at: int = NOW) -> list[str]:
    """Deliver the events, a second apart, through the recorder."""
    recorder = Recorder(lambda: policy, dry_run)
    found = []
    for number, event in enumerate(events):
        each = Event(event.document, {"number": number}, at // 1000, f"key-{at}-{number}")
        arrival = Arrival("didit", each, b'{"number": %d}' % number, Verified("m", 0, 1), at + 1000 * number)
        receipt = store.submit(lambda tx, arrival=arrival: recorder.delivery(tx, arrival)).result(10)  # type: ignore[misc]  # mypy cannot tell the lambda's type
        found.append(receipt.event_id)
    return found


def read(store: Store, since: int = 0, until: int = FOREVER, **options: Any) -> list[PastEvent]:
    return list(past_events(store, since, until, **options))


def events(*scores: float) -> list[Event]:
    return [event_of(liveness={"score": score}, session_id=f"s-{number}") for number, score in enumerate(scores)]


def test_what_was_decided_comes_back_as_it_was(store: Store) -> None:
    policy = policy_from(POLICY)
    identifiers = fill(store, policy, *events(50, 70), event_of("DUPLICATED_FACE"), event_of(echo=False))
    found = read(store)
    assert [past.event_id for past in found] == identifiers
    assert [past.received_at for past in found] == [NOW, NOW + 1000, NOW + 2000, NOW + 3000]
    for number, past in enumerate(found):
        assert past.event is not None
        assert past.decision is not None
        assert past.event.raw == {"number": number}
        again = decide(past.event, policy)
        assert not differ(past.decision.in_short(), again)
        assert past.decision.explained().rules == again.rules
    result = simulate(found, policy)
    assert (result.read, result.changed, result.unreadable) == (4, 0, 0)


def test_a_decision_written_before_its_undecided_rules_had_a_column_is_read_from_its_document(
    store: Store, data_dir: Path
) -> None:
    """A database that an older version filled simulates as it did."""
    policy = policy_from(POLICY)
    fill(store, policy, event_of("FACE_IN_BLOCKLIST"), *events(50))
    with sqlite3.connect(data_dir / "hookwarden.db") as older:
        older.execute("UPDATE decision SET rules_undecided = NULL WHERE n = 1")
    older.close()
    first, second = (past.decision.in_short() for past in read(store) if past.decision)
    assert [(rule.id, rule.fired) for rule in first.rules if rule.fired is None] == [("low", None)]
    assert first.policy == second.policy
    assert simulate(read(store), policy).changed == 0


def test_what_fires_in_shadow_stands_apart_in_the_record(store: Store, data_dir: Path) -> None:
    """Whoever reads which rules fired must not take a trial for a deed; the rule is found all the same."""
    fill(store, policy_from(POLICY), *events(50))
    with store.read() as reader:
        (entry,) = reader.audit("rule:try kind:decision", None, 10).items
        kept = reader.audit_entry(int(str(entry["idx"])))
    assert kept is not None
    leaf: Any = kept["content"]
    assert (leaf["rules"], leaf["shadow"]) == (["low"], ["try"])
    database = sqlite3.connect(data_dir / "hookwarden.db")
    assert database.execute("SELECT rules_fired FROM v_decisions").fetchall() == [('["low"]',)]
    database.close()
    (past,) = read(store)
    assert past.decision is not None
    assert [(rule.id, rule.mode) for rule in past.decision.in_short().rules] == [("low", "enforce"), ("try", "shadow")]


def test_the_stream_crosses_chunks_and_loses_nothing(store: Store) -> None:
    identifiers = fill(store, policy_from(POLICY), *events(*range(CHUNK * 2)))
    steps: list[int] = []
    found = read(store, progress=steps.append)
    assert [past.event_id for past in found] == identifiers
    assert steps == [CHUNK, CHUNK, 0]


def test_since_and_until_are_times_of_receipt(store: Store) -> None:
    identifiers = fill(store, policy_from(POLICY), *events(1, 2, 3, 4))
    assert [past.event_id for past in read(store, NOW + 1000, NOW + 3000)] == identifiers[1:3]
    with store.read() as reader:
        assert reader.past_count(NOW + 1000, NOW + 3000) == 2
        assert reader.past_count(NOW + 9000, FOREVER) == 0
    assert read(store, NOW + 9000) == []


def test_what_is_not_asked_for_stays_sealed(store: Store) -> None:
    fill(store, policy_from(POLICY), *events(1))
    (past,) = read(store, raw=False, decided=False)
    assert past.event is not None
    assert (past.event.raw, past.decision) == ({}, None)
    assert dict(past.event.document)["liveness"] == {"score": 1}


def names(past: PastEvent) -> list[tuple[str, str]]:
    """The actions of the decision that stands: name and state."""
    assert past.decision is not None
    return [(action.name, action.state) for action in past.decision.explained().actions]


def test_actions_come_back_in_the_state_they_began_in(store: Store) -> None:
    """What became of them since (done, approved, rejected) is not the policy's doing."""
    policy = policy_from(POLICY)
    fill(store, policy, *events(1), event_of("DUPLICATED_FACE", session_id="s-9"))
    fill(store, policy, event_of("DUPLICATED_FACE", session_id="s-8"), at=NOW + 60_000)
    (claim,) = claim_all(store)
    settle(store, claim, ending())
    with store.read() as reader:
        first, second = [str(each["action_id"]) for each in reader.actions(state="awaiting_approval").items]
    store.submit(lambda tx: tx.approve_action(first, "cli:a", NOW, "yes")).result(10)
    store.submit(lambda tx: tx.reject_action(second, "cli:a", NOW, "no")).result(10)
    asking = [("didit.face_search", "awaiting_approval"), ("note", "skipped")]
    assert [names(past) for past in read(store)] == [[("note", "planned"), ("note", "skipped")], asking, asking]
    assert simulate(read(store), policy).changed == 0


def test_what_the_operator_or_a_limit_held_back_was_planned(store: Store) -> None:
    policy = policy_from(POLICY)
    fill(store, policy, *[event_of("FACE_IN_BLOCKLIST", session_id=f"s-{n}") for n in range(2)])
    fill(store, policy, event_of("FACE_IN_BLOCKLIST", session_id="s-5"), dry_run=True, at=NOW + 7_200_000)
    found = read(store)
    assert [names(past) for past in found] == [[("note", "skipped"), ("note", "planned")]] * 3
    assert simulate(found, policy).changed == 0


def test_of_an_event_decided_again_the_newest_decision_counts(store: Store) -> None:
    (event_id,) = fill(store, policy_from(POLICY), *events(50))
    newer = policy_from(POLICY.replace("< 60", "< 40"))
    recorder = Recorder(lambda: newer)
    store.submit(lambda tx: recorder.replay(tx, event_id, "cli:a", NOW + 5000)).result(10)
    (past,) = read(store)
    assert names(past) == [("note", "skipped")]
    assert simulate([past], newer).changed == 0
    assert simulate([past], policy_from(POLICY)).changed == 1


def test_results_of_actions_are_events_too(store: Store) -> None:
    policy = policy_from(POLICY.replace(", needs_approval: true", ""))
    fill(store, policy, event_of("DUPLICATED_FACE"))
    recorder = Recorder(lambda: policy)
    claim: Claim = claim_all(store)[0]
    result: JsonObject = {"total_matches": 2}
    store.submit(lambda tx: recorder.result(tx, claim, result, NOW + 9)).result(10)
    delivery, answer = read(store)
    assert answer.event is not None
    assert (answer.event.result, answer.event.depth) == (result, 1)
    assert answer.event.document["type"] == "action.didit.face_search"
    stricter = policy_from(POLICY.replace(", needs_approval: true", "").replace("> 1", "> 2"))
    changed = simulate([delivery, answer], stricter)
    assert [example.event_id for example in changed.examples.clearest()] == [answer.event_id]


def test_an_event_whose_person_was_erased_is_unreadable(store: Store, data_dir: Path) -> None:
    fill(store, policy_from(POLICY), *events(1))
    fill(store, policy_from(POLICY), event_of(session_id="s-other", vendor_data="somebody"), at=NOW + 60_000)
    keys = sqlite3.connect(data_dir / "keys.db")
    with keys:
        keys.execute("DELETE FROM subject_key")
    keys.close()
    found = read(store)
    assert [(past.event, past.decision) for past in found] == [(None, None)] * 2
    assert simulate(found, policy_from(POLICY)).unreadable == 2


def test_a_payload_that_was_dropped_is_missed_only_where_it_is_read(store: Store, data_dir: Path) -> None:
    fill(store, policy_from(POLICY), *events(1))
    database = sqlite3.connect(data_dir / "hookwarden.db")
    with database:
        database.execute("UPDATE payload SET body = NULL")
    database.close()
    assert [past.event for past in read(store)] == [None]
    assert read(store, raw=False)[0].event is not None


@pytest.mark.parametrize("text", ["\ud800", "", "plain", "\x00"])
def test_odd_texts_come_back(store: Store, text: str) -> None:
    event = event_of(liveness={"score": 1}, vendor_data=text or None, workflow_id=text)
    fill(store, policy_from(POLICY), event)
    (past,) = read(store)
    assert past.event is not None
    assert past.event.document["workflow_id"] == text


def test_decisions_that_came_out_alike_keep_their_own_actions(store: Store) -> None:
    """What alike decisions share is made once; what they planned is each one's own, however many are read at once."""
    policy = policy_from(POLICY)
    fill(store, policy, *events(*(50 if number % 2 else 70 for number in range(CHUNK)), 41, 42))
    found = [past.decision.in_short() for past in read(store) if past.decision is not None]
    assert [[action.params for action in each.actions if action.rule == "low"] for each in found[-4:]] == [
        [],
        [{"score": 50}],
        [{"score": 41}],
        [{"score": 42}],
    ]
    assert simulate(read(store), policy).changed == 0


def test_many_actions_of_one_event_come_back_in_the_order_they_were_planned(store: Store) -> None:
    """`act_..._10` sorts before `act_..._2`."""
    notes = ", ".join(f"{{note: {{n: {number}}}}}" for number in range(12))
    policy = policy_from(f"rules:\n- {{id: all, then: [{notes}]}}\n")
    fill(store, policy, *events(1, 2))
    for past in read(store):
        assert past.decision is not None
        assert [action.params for action in past.decision.in_short().actions] == [{"n": n} for n in range(12)]
