"""The embedded dispatcher: claims planned actions, runs their handlers, records how they ended.

Theory of operation. One loop takes turns; a turn is one job for the store's writer that first renews this process's
leases, when that is due, and then claims as many actions as there are free places. The store only gives out the head of
each lane, so order within a session needs nothing here. Each claim runs as a task of its own. A turn comes at once when
something was planned (`wake`), when a call ended or when a retry falls due, and otherwise once a second, because other
processes may have planned something.

Places are counted apart: for each vendor, for each of the operator's own receivers and channels to people, and for
what needs nobody (a label, a case). So whoever is slow, or holds calls back, stops its own actions only. Whom an action
needs stands in the store with it; the store steps over whoever has no place left, with the whole of its backlog.

Renewing before claiming, in one transaction, is what keeps this process from taking over its own running calls after
the store was away for longer than a lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from receiver.contract import ActionCall, ActionSpec, Handler, Outcome
from receiver.dispatch.settle import OnDone, settle
from receiver.dispatch.verdict import Answer, Attempt, RetryRules, judge, without_effect
from receiver.errors import StoreUnavailable, VendorError
from receiver.log import place_of
from receiver.store.port import Store, Transaction
from receiver.store.shapes import Claim, Ending

__all__ = ["Dispatcher", "Observation", "RetryRules"]

POLL = 1.0  # seconds: how late we may notice what another process planned
LIVELY = 10.0  # seconds without a turn after which we no longer call ourselves alive
ECHO_WINDOW = 600_000  # milliseconds in which the `status.updated` of our own call is taken for its echo

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Observation:
    """One attempt that ended, for metrics. `ending` is the action's new state, or `lost` where another process had
    taken the action over; `seconds` is what the call took; `repeated` marks an action taken over from a dead process.
    """

    action: str
    ending: str
    seconds: float
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Ready:
    """A claim that may run; `fault` is what went wrong in getting it ready."""

    claim: Claim
    fault: Exception | None


def _unobserved(observation: Observation) -> None:
    """Nobody counts."""


class Dispatcher:
    """Runs actions, in order per lane and many lanes at once. Belongs to one event loop; only `wake` and `alive` may be
    used from other threads.

    `owner` must be new for every start of a process: leases are renewed by it. `clock` gives Unix milliseconds and is
    called from the store's thread too. `concurrency` is how many actions run at a time for each vendor or target, and
    how many that need neither; `slots` are those for which it is less. `lease` is in seconds: so long
    after its last sign of life a process counts as dead. `on_done` records the result of a `done` action as an event,
    in the transaction that settles it. `observe` is told of every attempt that ended.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        specs: Mapping[str, ActionSpec],
        *,
        retry: RetryRules,
        concurrency: int = 16,
        slots: Mapping[str, int] | None = None,
        owner: str,
        clock: Callable[[], int],
        random: Callable[[], float],
        lease: float = 10.0,
        on_done: OnDone,
        observe: Callable[[Observation], None] = _unobserved,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._specs = specs
        self._retry = retry
        self._concurrency = concurrency
        self._slots = {needs: min(concurrency, most) for needs, most in (slots or {}).items()}
        self._owner = owner
        self._clock = clock
        self._random = random
        self._lease = round(1000 * lease)
        self._pause = min(POLL, lease / 6)  # a late turn must not cost the lease
        self._on_done = on_done
        self._observe = observe
        self._calls: dict[asyncio.Task[None], str] = {}  # and whom each one needs
        self._renewed_at = 0
        self._turned_at = float("-inf")
        self._store_away = False
        self._draining = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns: asyncio.Task[None] | None = None
        self._wakeup = asyncio.Event()
        self._finished = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether the loop has turned lately, and takes work."""
        return not self._draining and time.monotonic() - self._turned_at < LIVELY

    def wake(self) -> None:
        """Something was planned or freed. From any thread, also before `run` and after it."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody to wake
                self._loop.call_soon_threadsafe(self._wakeup.set)

    async def run(self) -> None:
        """Work until drained or cancelled. Calls that a cancellation interrupts stay recorded as running: once their
        lease has run out they are repeated, and marked as such.
        """
        self._loop = asyncio.get_running_loop()
        self._turns = asyncio.create_task(self._take_turns(), name="dispatcher turns")
        try:
            await asyncio.wait({self._turns})
        finally:
            self._turned_at = float("-inf")
            self._turns.cancel()
            await asyncio.gather(self._turns, return_exceptions=True)  # before the calls: it may start some yet
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
            self._finished.set()

    def stop_claiming(self) -> None:
        """Take nothing new from now on; what runs goes on. `drain` ends it."""
        self._draining = True
        self._wakeup.set()

    async def drain(self, grace: float) -> None:
        """Claim nothing more; let running calls finish within `grace` seconds, then interrupt them as `run` says."""
        self.stop_claiming()
        if self._turns is not None:
            await asyncio.wait({self._turns}, timeout=grace)
            self._turns.cancel()
            await self._finished.wait()

    async def _take_turns(self) -> None:
        while self._calls or not self._draining:
            self._turned_at = time.monotonic()
            try:
                await self._turn()
                self._store_away = False
            except StoreUnavailable as error:
                if not self._store_away:
                    log.warning("store unavailable; actions wait", fault=str(error))
                self._store_away = True
            except Exception as error:  # noqa: BLE001 - one turn that goes wrong must not stop all actions
                log.error("a turn of the dispatcher failed", fault=type(error).__name__, at=place_of(error))
            await self._rest()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._wakeup.wait()
        self._wakeup.clear()

    async def _turn(self) -> None:
        room = None if self._draining else self._room()
        if room is None and not self._renewal_due(self._clock()):
            return
        self._renewed_at, taken = await self._store.run(lambda tx: self._take(tx, room))
        for ready in taken:
            call = asyncio.create_task(self._carry_out(ready), name=ready.claim.action_id)
            self._calls[call] = ready.claim.needs
            call.add_done_callback(self._ended)

    def _renewal_due(self, at: int) -> bool:
        return bool(self._calls) and at - self._renewed_at >= self._lease // 3

    def _room(self) -> dict[str, int]:
        """How many more actions may run, by whom they need; of all others as many as `concurrency` says."""
        running = Counter(self._calls.values())
        return {
            needs: max(0, self._slots.get(needs, self._concurrency) - running[needs])
            for needs in {*self._slots, *running}
        }

    def _take(self, tx: Transaction, room: Mapping[str, int] | None) -> tuple[int, list[_Ready]]:
        """The turn's job, in the store's thread. Gives since when all our leases count, and what may run now."""
        at = self._clock()  # here and not at submission: the job may have waited for longer than a lease
        renewed_at = at if not self._calls else self._renewed_at
        if self._renewal_due(at):
            tx.renew(self._owner, at, at + self._lease)
            renewed_at = at
        claims = [] if room is None else tx.claim(self._owner, at, at + self._lease, self._concurrency, room)
        return renewed_at, [_Ready(claim, self._expect_echo(tx, claim, at)) for claim in claims]

    def _expect_echo(self, tx: Transaction, claim: Claim, at: int) -> Exception | None:
        """Note the echo together with the claim: it may arrive before our call returns."""
        spec, session_id = self._specs.get(claim.name), claim.event["session_id"]
        if spec is None or spec.echoes is None or session_id is None or claim.done_before is not None:
            return None
        try:
            status = spec.echoes(claim.params)
        except Exception as error:  # noqa: BLE001 - a plug-in's fault must not undo the claims of others
            return error
        if status is not None:
            tx.expect_echo(claim.action_id, session_id, status, at + ECHO_WINDOW)
        return None

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.pop(call, None)
        self._wakeup.set()
        if not call.cancelled() and (error := call.exception()) is not None:
            log.error("a call was left unfinished", action_id=call.get_name(), fault=type(error).__name__)

    async def _carry_out(self, ready: _Ready) -> None:
        """One attempt, from the claim to the record."""
        claim, started = ready.claim, time.perf_counter()
        answer = await self._answer(ready)
        seconds = time.perf_counter() - started
        ending = self._judge(claim, answer, seconds)
        # an earlier attempt whose end we do not know may still bring the echo
        drop_echo = without_effect(answer, ending) and claim.attempts_spent <= 1 and not claim.repeated
        # an expectation that outlives its action could swallow a real event: worse than deciding an echo
        drop_echo = drop_echo or ending.state == "dead"
        settled = await settle(self._store, claim, ending, self._on_done, drop_echo=drop_echo)
        if not settled:
            log.warning(
                "the action is no longer ours; its outcome is dropped", action_id=claim.action_id, attempt=claim.attempt
            )
        elif ending.due is not None:
            self._wake_at(ending.due)
        self._observe(Observation(claim.name, ending.state if settled else "lost", seconds, claim.repeated))

    async def _answer(self, ready: _Ready) -> Answer:
        """What the handler returns or raises. Only our own cancellation gets through: with it the effect is unknown,
        whatever the handler makes of it.
        """
        try:
            return await self._ask(ready)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            if not isinstance(error, VendorError):
                # no message: it may hold anything
                action_id = ready.claim.action_id
                log.error("a handler failed", action_id=action_id, fault=type(error).__name__, at=place_of(error))
            return error

    async def _ask(self, ready: _Ready) -> Outcome:
        claim = ready.claim
        if claim.done_before is not None:
            return Outcome("noop", f"already done for this session by {claim.done_before}")
        handler = self._handlers.get(claim.name)
        if handler is None:
            return Outcome("failed", f"no action is called {claim.name!r} here: its plug-in is gone")
        if ready.fault is not None:
            raise ready.fault
        outcome: object = await handler(call_of(claim))
        if not isinstance(outcome, Outcome):
            raise TypeError("a handler must return an Outcome")
        return outcome

    def _judge(self, claim: Claim, answer: Answer, seconds: float) -> Ending:
        spec = self._specs.get(claim.name)
        attempt = Attempt(
            spent=claim.attempts_spent,
            tries=claim.attempt,
            planned_at=claim.planned_at,
            ended_at=self._clock(),
            latency_ms=round(1000 * seconds),
            billable=spec is not None and spec.billable,
            chance=self._random(),
        )
        return judge(answer, attempt, self._retry)

    def _wake_at(self, due: int) -> None:
        delay = max(0, due + 1 - self._clock()) / 1000  # a millisecond late rather than early and then a poll late
        asyncio.get_running_loop().call_later(delay, self._wakeup.set)


def call_of(claim: Claim) -> ActionCall:
    """What a handler is given of a claim."""
    return ActionCall(
        action_id=claim.action_id,
        idempotency_key=hashlib.sha256(claim.action_id.encode()).hexdigest(),
        name=claim.name,
        params=claim.params,
        event=claim.event,
        attempt=claim.attempt,
        repeated=claim.repeated,
        unanswered=claim.unanswered,
        planned_at=claim.planned_at,
    )
