"""Bringing an ending into the record, whatever the store's mood. The call itself is over: nothing here repeats it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar

import structlog

from receiver.contract import JsonObject, Outcome
from receiver.errors import StoreUnavailable
from receiver.store.port import Store, Transaction
from receiver.store.shapes import Claim, Ending

T = TypeVar("T")
OnDone: TypeAlias = Callable[[Transaction, Claim, JsonObject], None]

FIRST_PAUSE = 0.05  # seconds before an unavailable store is asked again; doubles
LONGEST_PAUSE = 1.0

log = structlog.get_logger(__name__)


async def write(store: Store, job: Callable[[Transaction], T], **names: str) -> T:
    """Run a job as often as it takes until the store is there. Raises what the job raises.

    Cancelling gives up waiting, not a job that was submitted: a store that is closed finishes it.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await asyncio.shield(asyncio.wrap_future(store.submit(job)))
        except StoreUnavailable as error:
            log.warning("store unavailable; the outcome is kept and written later", fault=str(error), **names)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def settle(store: Store, claim: Claim, ending: Ending, on_done: OnDone, *, drop_echo: bool) -> bool:
    """Record an ending, with the result event it brings about in the same transaction. False: the lease was lost.

    Where recording raises (a bug of ours, or a result that cannot be stored), less is recorded rather than nothing:
    first without the result event, at last without the result, as `failed`. A session does not hang for it. Raises
    RuntimeError where not even that could be written.
    """
    for recorded, tell in _ways(ending, on_done):
        try:
            return await write(
                store, partial(_record, claim, recorded, tell, drop_echo=drop_echo), action_id=claim.action_id
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the outcome must not be lost
            log.error("an outcome could not be recorded whole", action_id=claim.action_id, fault=type(error).__name__)
    raise RuntimeError("an outcome could not be recorded at all")


def _record(claim: Claim, ending: Ending, on_done: OnDone, tx: Transaction, *, drop_echo: bool) -> bool:
    if not tx.settle(claim, ending):
        return False
    if drop_echo:
        tx.drop_echo(claim.action_id)
    if ending.state == "done" and ending.outcome.result is not None:
        on_done(tx, claim, ending.outcome.result)
    return True


def _ways(ending: Ending, on_done: OnDone) -> Iterator[tuple[Ending, OnDone]]:
    """What to record and whom to tell of a result, from the whole truth to the least of it."""
    yield ending, on_done
    yield ending, on_done  # once more: the fault may have been that of another job in the same commit
    outcome = ending.outcome
    if ending.state == "done" and outcome.result is not None:
        reason = "; ".join(filter(None, (outcome.reason, "internal error: the result could not be decided on")))
        yield replace(ending, outcome=replace(outcome, reason=reason)), _tell_nobody
    least = Outcome("failed", f"internal error: the outcome {ending.state} could not be recorded")
    yield replace(ending, state="failed", outcome=least, due=None), _tell_nobody


def _tell_nobody(tx: Transaction, claim: Claim, result: JsonObject) -> None:
    """No result event."""
