"""Tampering with what belongs together: who did what, attempts put in, the order of things, what follows from what."""

# ruff: noqa: S608  # statements of a forger, made of constants

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from receiver.audit.findings import Verdict
from receiver.audit.note import Verifier
from receiver.store.port import Transaction
from tests.support.store_samples import (
    NOW,
    claim_all,
    ending,
    new_event,
    planned,
    put,
    sample_decision,
    settle,
)
from tests.support.tampering import edit, filled, query, verified

DAY = 86_400_000


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verifier]:
    """A record in which people did something, a vendor was waited for, a result was an event, one was decided anew."""
    folder = tmp_path_factory.mktemp("pristine") / "var"
    store = filled(folder, 10, sign_every=3600)
    failed, parked, waiting, _, _ = (
        put(store, new_event(f"deeds-{rule}", at=NOW + DAY), planned(rule=rule, state=state))[0]
        for rule, state in (
            ("failed", "planned"),
            ("parked", "awaiting_approval"),
            ("waits", "planned"),
            ("runs", "planned"),
            ("skipped", "skipped"),
        )
    )
    claims = {claim.action_id: claim for claim in claim_all(store, at=NOW + DAY)}
    settle(store, claims[failed], ending("failed", NOW + DAY + 5, http_status=400))
    store.submit(lambda tx: tx.retry_action(failed, "cli:ana", NOW + DAY + 9, "once more")).result(10)
    store.submit(lambda tx: tx.discard_action(failed, "cli:bert", NOW + DAY + 9, "no")).result(10)
    store.submit(lambda tx: tx.approve_action(parked, "cli:ana", NOW + DAY + 9, "yes")).result(10)
    for number in range(3):  # a vendor is parked: of what is tried again and again, one attempt that says so is kept
        at = NOW + DAY + 10 * number
        how = ending("waiting_retry", at, due=at, spent=False, reason="parked")
        settle(store, claims[waiting], how)
        claims |= {claim.action_id: claim for claim in claim_all(store, at=at)}
    parent = new_event("with a child", at=NOW + DAY + 20)
    put(store, parent)
    child = new_event(
        "with a child", at=NOW + DAY + 30, parent_id=parent.event_id, action={}, result={}, type="action.x"
    )
    put(store, child)
    for at in (NOW + DAY + 40, NOW + DAY + 40, NOW + 2 * DAY):
        store.submit(partial(decide_anew, event_id=parent.event_id, at=at)).result(10)
    store.submit(
        lambda tx: tx.add_note("policy", "cli:ana", NOW, {"policy_sha256": sha(folder), "name": "face"})
    ).result(10)
    store.submit(lambda tx: tx.ask_checkpoint()).result(10)
    store.close()
    return folder, store.verifier


def decide_anew(tx: Transaction, event_id: str, at: int) -> None:
    tx.add_decision(event_id, sample_decision(), at, "cli:ana")


def sha(folder: Path) -> str:
    return str(query(folder, "SELECT sha256 FROM policy")[0][0])


def told(verdict: Verdict) -> str:
    return "\n".join(f"{finding.kind}: {finding}" for finding in verdict.findings)


def test_a_record_that_nobody_touched_is_intact(folder: Path, key: Verifier) -> None:
    assert told(verified(folder, key)) == ""
    assert query(folder, "SELECT count(*) FROM attempt WHERE outcome = 'retry' AND NOT spent") == [(1,)]
    assert query(folder, "SELECT count(*) FROM attempt WHERE outcome IS NULL")[0][0] >= 1
    assert query(folder, "SELECT count(*) FROM deed") == [(3,)]


NEWEST = "(SELECT max(n) FROM decision WHERE event_n = (SELECT event_n FROM decision GROUP BY 1 HAVING count(*) > 2))"
ATTEMPT = (
    "INSERT INTO attempt (action_n, n, owner, at, ended_at, outcome, http_status, repeated, spent)"
    " SELECT n, {}, 'x', planned_at, planned_at, {}, 200, 0, 1 FROM action WHERE {} LIMIT 1"
)
EDITS = {
    "who did it": ("UPDATE deed SET actor = 'cli:victor' WHERE act = 'discard'", "the deed on its action was edited"),
    "all of who did it": ("UPDATE deed SET actor = 'cli:victor'", "the deed on its action was edited"),
    "what was done": ("UPDATE deed SET act = 'approve' WHERE act = 'discard'", "the deed on its action was edited"),
    "when it was done": ("UPDATE deed SET at = at + 1", "the deed on its action was edited"),
    "deeds swapped": (
        "UPDATE deed SET action_n = (SELECT n FROM action WHERE rule = 'runs') WHERE act = 'discard'",
        "the deed on its action was edited",
    ),
    "attempt put in": (ATTEMPT.format(99, "'done'", "state = 'done'"), "attempt 99 of its action was put in"),
    "attempt put in that runs": (ATTEMPT.format(99, "NULL", "state = 'done'"), "attempt 99 of its action was put in"),
    "attempt of what was skipped": (ATTEMPT.format(1, "'done'", "state = 'skipped'"), "its attempt 1 was put in"),
    "attempt of what was rejected": (ATTEMPT.format(7, "'done'", "state = 'rejected'"), "attempt 7"),
    "attempt of what runs": (ATTEMPT.format(0, "'done'", "state = 'running'"), "its attempt 0 was put in"),
    "newest decision": (f"UPDATE decision SET n = -1 WHERE n = {NEWEST}", "its decision was moved before one"),
    "older decision": ("UPDATE decision SET n = n + 1000 WHERE n = 5", "its decision was moved before one"),
    "event": ("UPDATE event SET n = n + 1000 WHERE n = 5", "its event was moved before one"),
    "parent": ("UPDATE event SET parent_id = (SELECT event_id FROM event WHERE n = 1) WHERE n = 5", "event's parent"),
    "child": ("UPDATE event SET parent_id = NULL WHERE parent_id IS NOT NULL", "the event's parent was edited to None"),
    "another's child": (
        "UPDATE event SET parent_id = (SELECT event_id FROM event WHERE n = 1) WHERE parent_id IS NOT NULL",
        "the event's parent was edited",
    ),
    "session": ("UPDATE session SET status = 'Approved'", "has a status that none of its events gave it"),
    "policy name": ("UPDATE policy SET name = 'other'", "its name was edited to 'other': the leaf says 'face'"),
    "policy time": ("UPDATE policy SET at = at - 1", "its time was edited"),
}


@pytest.mark.parametrize("how", EDITS)
def test_an_edit_of_what_belongs_together_is_told(folder: Path, key: Verifier, how: str) -> None:
    statement, said = EDITS[how]
    before = query(folder, "SELECT count(*) FROM attempt")
    edit(folder, *with_children(statement))
    assert said in told(verified(folder, key))
    assert "attempt" not in how or query(folder, "SELECT count(*) FROM attempt") != before


def with_children(statement: str) -> tuple[str, ...]:
    """Where an event's number is changed, so that its rows go with it."""
    if not statement.startswith("UPDATE event SET n"):
        return (statement,)
    move = "UPDATE {0} SET {1} = {1} + 1000 WHERE {1} = 5"
    rows = (("payload", "n"), ("decision", "event_n"), ("action", "event_n"))
    return (statement, *(move.format(table, column) for table, column in rows))


def test_decisions_swapped_far_from_each_other_are_told(tmp_path: Path) -> None:
    """In different windows of entries: how far the numbers of one go is held against the next."""
    store = filled(tmp_path, 4200)
    store.close()
    key = store.verifier
    assert verified(tmp_path, key).fine
    edit(tmp_path, "UPDATE decision SET n = n - 100000 WHERE n > 4096")  # those of the second window, all of them
    assert "do not stand in the order of their entries" in told(verified(tmp_path, key))
