"""The bounded log of refused deliveries. Strangers can cause entries, so writing is limited: at most so many a second
are kept, the rest is counted in `/metrics` alone.
"""

from __future__ import annotations

import asyncio
import ipaddress

import structlog

from receiver.store.shapes import Reject
from receiver.wiring import System

KEPT_PER_SECOND = 50

log = structlog.get_logger()


class RejectLog:
    """Collects refusals and writes them once a second, in one job."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._waiting: list[Reject] = []

    def add(self, source: str, client: str | None, reason: str, size: int) -> None:
        """Note one refusal, unless this second has had its share."""
        if len(self._waiting) < KEPT_PER_SECOND:
            self._waiting.append(Reject(self._system.clock(), source, _address(client), reason, size))

    async def run(self) -> None:
        """Write what was noted, for ever."""
        while True:
            await asyncio.sleep(1.0)
            await self.flush()

    async def flush(self) -> None:
        """Write what was noted now. Where the store cannot, the notes are dropped: they are not the record."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            await self._system.store.run(lambda tx: tx.add_rejects(waiting))
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the log goes on and the shutdown too
            log.warning("reject log not written", dropped=len(waiting), why=type(trouble).__name__)


def _address(client: str | None) -> str | None:
    """An address, and nothing else: behind a proxy this is a header's text, which a stranger may have written."""
    try:
        return None if client is None else str(ipaddress.ip_address(client))
    except ValueError:
        return "not an address"
