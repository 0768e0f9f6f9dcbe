"""Watches the policy's files, and has them read again when one changed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Final

import structlog

from receiver.files import Print, fingerprint
from receiver.log import place_of
from receiver.publication import Publication

LOOK_EVERY: Final = 1.0  # seconds: so long must a file stay as it is before it is read, as editors write in steps

log = structlog.get_logger()


class Watcher:
    """Looks once a second, for ever. A change is read at the first look that finds it as the look before did."""

    def __init__(self, publication: Publication) -> None:
        self._publication = publication
        self._seen: tuple[Print, ...] | None = None
        self._settled: tuple[Print, ...] | None = None  # what was read, and either taken or refused
        self._asked = asyncio.Event()
        self._failed_at: str | None = None

    def hurry(self) -> None:
        """Look now, on the loop that `run` is on, and read whatever is found, changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_EVERY)
            now = self._asked.is_set()
            self._asked.clear()
            try:
                await _apart(functools.partial(self.look, now=now))
                self._failed_at = None
            except Exception as fault:  # noqa: BLE001 - whatever it is, the next look comes
                self._report(fault)

    def look(self, *, now: bool = False) -> None:
        """One look. `now`: a person asked for it, so it need not wait until the files have rested."""
        paths = self._publication.watched
        seen = fingerprint(paths)
        rested, self._seen = now or seen == self._seen, seen
        if not rested or (seen == self._settled and not now):
            return
        settled = self._publication.reread(lambda: fingerprint(paths) == seen, confirmed=now)
        self._settled = seen if settled and paths == self._publication.watched else None

    def _report(self, fault: Exception) -> None:
        """Once, not every second."""
        at = place_of(fault)
        if at != self._failed_at:
            log.error("the policy's files cannot be watched", kind=type(fault).__name__, at=at)
        self._failed_at = at


async def _apart(job: Callable[[], None]) -> None:
    """Run it in a thread that holds up no exit: a disk that does not answer may keep it for ever."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(fault: Exception | None) -> None:
        if done.done():
            return
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(fault)

    def work() -> None:
        fault: Exception | None = None
        try:
            job()
        except Exception as raised:  # noqa: BLE001 - told to who waits
            fault = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(tell, fault)

    threading.Thread(target=work, name="policy watcher", daemon=True).start()
    await done
