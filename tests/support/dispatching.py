"""Actions for a dispatcher to run: invented events, planned into a real store; and a dispatcher to run them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from receiver.audit.note import Verifier
from receiver.contract import (
    ActionCall,
    ActionSpec,
    Decision,
    Event,
    EventDocument,
    Handler,
    JsonObject,
    Outcome,
    PlannedAction,
    PolicyRef,
)
from receiver.dispatch.dispatcher import Dispatcher, Observation
from receiver.dispatch.settle import OnDone
from receiver.dispatch.verdict import RetryRules
from receiver.ids import new_id
from receiver.store.port import Store, Transaction
from receiver.store.reader import Reader
from receiver.store.shapes import Claim, NewEvent

T = TypeVar("T")

QUICK = RetryRules(base=0.004, cap=0.02, attempts=8, max_age=3600.0)
FINISHED = {"done", "noop", "failed", "dead", "skipped", "rejected"}
BODY = b'{"invented": true}'


class AnyParams(BaseModel):
    """Parameters that nobody checks."""


class Clock:
    """The real time, in Unix milliseconds, with hands that a test may move."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset


def spec(name: str, **more: Any) -> ActionSpec:
    """An action's description, with the defaults of one that is not special."""
    return ActionSpec(name=name, params=AnyParams, description="An invented action.", **more)


def document(session_id: str | None, **changes: Any) -> EventDocument:
    """A normalised event of that session in which nothing was found."""
    found = EventDocument(
        source="didit",
        vendor="didit",
        vendor_event_id=None,
        type="status.updated",
        session_id=session_id,
        session_kind="user",
        status="In Review",
        previous_status=None,
        vendor_data=None,
        workflow_id=None,
        environment="sandbox",
        created_at=None,
        country=None,
        warnings=[],
        tags=[],
        severity_max=None,
        liveness=None,
        face_match=None,
        matches=[],
        document=None,
        ip=None,
        aml=None,
        phone=None,
        email=None,
        images=None,
        stale=False,
        echo=False,
    )
    found.update(changes)  # type: ignore[typeddict-item]  # by keyword
    return found


def planned(name: str, once: str = "event", needs: str = "", **params: Any) -> PlannedAction:
    """One call that an invented rule asks for."""
    return PlannedAction(name, "invented-rule", params, once="session" if once == "session" else "event", needs=needs)


def plan(tx: Transaction, at: int, session_id: str | None, *actions: PlannedAction, **changes: Any) -> list[str]:
    """A job: an event of that session and what it calls for. Gives the identifiers of the actions."""
    event_id = new_id("evt", at)
    lane = f"didit:{session_id}" if session_id else event_id
    event = Event(document(session_id, **changes), {"invented": True}, None, event_id)
    tx.add_event(NewEvent(event_id, None, event, lane, session_id or event_id, at, BODY, None))
    policy = PolicyRef("invented", "0" * 64, "enforce")
    tx.add_decision(event_id, Decision("decided", policy, None, (), actions), at)
    return tx.add_actions(event_id, actions, at)


def planning(
    store: Store, clock: Callable[[], int], session_id: str | None, *actions: PlannedAction, **changes: Any
) -> list[str]:
    """Plan and wait for the commit."""
    return store.submit(lambda tx: plan(tx, clock(), session_id, *actions, **changes)).result(30)


def action(store: Store, action_id: str) -> dict[str, Any]:
    """The action as the API shows it."""
    with store.read() as reader:
        found = reader.action(action_id)
    assert found is not None
    return found


def all_actions(store: Store) -> list[dict[str, Any]]:
    """Every action in the store, newest first."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    with store.read() as reader:
        while True:
            page = reader.actions(after=cursor, limit=500)
            items += page.items
            cursor = page.next
            if cursor is None:
                return items


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


def finished(store: Store, *action_ids: str) -> Callable[[], bool]:
    """Whether these actions have come to their end."""
    return lambda: all(action(store, action_id)["state"] in FINISHED for action_id in action_ids)


class WatchedStore:
    """The real store; counts its jobs, and fails with `faults` before it takes the next ones."""

    def __init__(self, store: Store, *faults: Exception) -> None:
        self.store = store
        self.jobs = 0
        self.faults = list(faults)

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        self.jobs += 1
        if self.faults:
            raise self.faults.pop(0)
        return self.store.submit(job)

    async def run(self, job: Callable[[Transaction], T]) -> T:
        return await asyncio.wrap_future(self.submit(job))

    def read(self) -> AbstractContextManager[Reader]:
        return self.store.read()

    @property
    def verifier(self) -> Verifier:
        return self.store.verifier

    def rekey(self, master: bytes | None, actor: str, *, whole: bool = False) -> int:
        return self.store.rekey(master, actor, whole=whole)

    def scrub(self, seconds: float) -> bool:
        return self.store.scrub(seconds)

    def on_commit(self, wake: Callable[[], None]) -> None:
        self.store.on_commit(wake)

    def close(self) -> None:
        self.store.close()


@dataclass
class Told:
    """What the dispatcher told others: results (`on_done`) and observations."""

    results: list[tuple[str, JsonObject]] = field(default_factory=list)
    observed: list[Observation] = field(default_factory=list)

    def on_done(self, tx: Transaction, claim: Claim, result: JsonObject) -> None:
        """Keep a result."""
        self.results.append((claim.action_id, result))


@dataclass
class Yard:
    """A real store, a clock with hands, and dispatchers on them."""

    store: Store
    clock: Clock
    told: Told = field(default_factory=Told)

    def plan(self, session_id: str | None, *actions: PlannedAction, **changes: Any) -> list[str]:
        """Plan and wait for the commit; `changes` are of the event."""
        return planning(self.store, self.clock, session_id, *actions, **changes)

    def action(self, action_id: str) -> dict[str, Any]:
        """The action as the API shows it."""
        return action(self.store, action_id)

    async def ended(self, *action_ids: str) -> None:
        """Wait until these actions have come to their end."""
        await until(finished(self.store, *action_ids))

    def dispatcher(
        self,
        handlers: Mapping[str, Handler],
        specs: Mapping[str, ActionSpec] | None = None,
        *,
        store: Store | None = None,
        retry: RetryRules = QUICK,
        owner: str = "first",
        on_done: OnDone | None = None,
        observe: Callable[[Observation], None] | None = None,
        **more: Any,
    ) -> Dispatcher:
        """A dispatcher, not yet running, that the store wakes."""
        dispatcher = Dispatcher(
            store or self.store,
            handlers,
            specs if specs is not None else {name: spec(name) for name in handlers},
            retry=retry,
            owner=owner,
            clock=self.clock,
            random=lambda: 0.5,
            on_done=on_done or self.told.on_done,
            observe=observe or self.told.observed.append,
            **more,
        )
        self.store.on_commit(dispatcher.wake)
        return dispatcher

    @asynccontextmanager
    async def running(
        self, handlers: Mapping[str, Handler], specs: Mapping[str, ActionSpec] | None = None, **more: Any
    ) -> AsyncIterator[Dispatcher]:
        """A dispatcher at work."""
        dispatcher = self.dispatcher(handlers, specs, **more)
        task = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            await dispatcher.drain(0)
            await task


class Script:
    """A handler that answers from a list, one entry an attempt (the last one stays), and remembers its calls."""

    def __init__(self, *answers: Outcome | BaseException) -> None:
        self.answers = list(answers)
        self.calls: list[ActionCall] = []

    async def __call__(self, call: ActionCall) -> Outcome:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Outcome):
            return answer
        raise answer


class Gate:
    """A handler that says when it has begun and waits to be let through."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.opened = asyncio.Event()
        self.calls: list[ActionCall] = []

    async def __call__(self, call: ActionCall) -> Outcome:
        self.calls.append(call)
        self.begun.set()
        await self.opened.wait()
        return Outcome("done")
