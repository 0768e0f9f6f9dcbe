"""Whether a vendor may be called at this moment: parked, breaker open, or rate budget used up.

Three reasons to send nothing, each with its own way back:
- **parked**: the vendor refused our credentials, or our credits are used up. Nothing mends by itself, so it is said
  loudly, once. One action a minute may try; when its call of the refused kind (reading or writing) succeeds, all go on.
  The kind matters: an action may read before it writes, and reading costs no credits. That is also why the probe is a
  whole action, known by its task, and not a single call.
- **breaker open**: five failures of the connection or the server in a row. After 30 s one call may try.
- **resting**: the rate window is used up. Didit's is 60 s, per key, apart for each group of calls (`rates.py`).

Synchronous and without I/O; the clock is handed in. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from handlers.rates import Rate
from receiver.errors import VendorWaiting

PROBE_EVERY = 60.0  # seconds
FAILURES_TO_OPEN = 5
OPEN_FOR = 30.0  # seconds

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Parking:
    reason: str
    writes: bool
    probe_at: float
    prober: asyncio.Task[Any] | None = None


class Gate:
    """One vendor's gate. `monotonic` gives seconds; `budgets` are the calls a minute that the vendor documents, by the
    group of calls.
    """

    def __init__(self, vendor: str, monotonic: Callable[[], float], budgets: Mapping[str, int] | None = None) -> None:
        self._vendor = vendor
        self._monotonic = monotonic
        self._parking: _Parking | None = None
        self._failures = 0
        self._open_until: float | None = None
        self._rates = {group: Rate(limit) for group, limit in (budgets or {}).items()}

    @property
    def parked(self) -> bool:
        """Whether the vendor waits for somebody to mend the credentials or the credits."""
        return self._parking is not None

    def rate(self, writes: bool, group: str | None = None) -> Rate:
        """How often the calls of a group may be made; without a name, those that read or those that write."""
        return self._rates.setdefault(group or ("write" if writes else "read"), Rate())

    def admit(self, writes: bool, group: str | None = None) -> None:
        """Let one call through. Raises VendorWaiting if it must not be sent now."""
        now, rate = self._monotonic(), self.rate(writes, group)
        self._refuse_while("is parked", self._until_probe(now))
        self._refuse_while("does not answer; its breaker is open", (self._open_until or now) - now)
        self._refuse_while("has no calls left in its rate window", rate.wait(now))
        rate.sent(now)
        if self._parking is not None:
            self._parking.prober, self._parking.probe_at = asyncio.current_task(), now + PROBE_EVERY
        if self._open_until is not None:
            self._open_until = now + OPEN_FOR  # this call tries; others wait until it has ended

    def _until_probe(self, now: float) -> float:
        parking = self._parking
        if parking is None or (parking.prober is not None and parking.prober is asyncio.current_task()):
            return 0.0
        return parking.probe_at - now

    def _refuse_while(self, why: str, seconds: float) -> None:
        if seconds > 0:
            more = f": {self._parking.reason}" if self._parking is not None else ""
            raise VendorWaiting(f"{self._vendor} {why}{more}", seconds)

    def answered(self) -> None:
        """The vendor's server works, whatever it said: the row of failures ends."""
        if self._open_until is not None:
            log.info("vendor answers again", vendor=self._vendor)
        self._failures, self._open_until = 0, None

    def failed(self) -> None:
        """The connection or the server failed."""
        self._failures += 1
        if self._failures < FAILURES_TO_OPEN:
            return
        if self._open_until is None:
            log.warning("vendor does not answer; breaker opens", vendor=self._vendor, failures=self._failures)
        self._open_until = self._monotonic() + OPEN_FOR

    def refused(self, status: int, reason: str, writes: bool) -> bool:
        """Credentials refused or credits used up: park. `reason` must be fit to be read by people. Gives whether this
        is news.
        """
        news = self._parking is None
        if news:
            log.error(
                "vendor parked: credentials refused or credits used up",
                vendor=self._vendor,
                http_status=status,
                reason=reason,
                cure="check the vendor's api_key, its rights, and the credits; its actions wait, nothing is lost",
            )
        self._parking = _Parking(reason, writes, self._monotonic() + PROBE_EVERY)
        return news

    def succeeded(self, writes: bool) -> None:
        """A call was carried out: if it was the probe, and of the kind that was refused, everything goes on."""
        parking = self._parking
        if parking is None or parking.prober is None or parking.prober is not asyncio.current_task():
            return
        if writes or not parking.writes:
            self._parking = None
            log.warning("vendor no longer parked", vendor=self._vendor)
