"""Blocking work beside the event loop that nobody has to wait for in the end.

`asyncio.to_thread` uses threads that the process joins before it exits, and of which there are few: a library that
never comes back would keep the process from ending, and everybody else from working. These threads are of one caller
alone, at most so many at a time, and die with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Busy(Exception):
    """Every thread is still at work: nothing was begun."""


class Daemons(Generic[T]):
    """At most `most` threads at a time. One that was given up on counts until its work is over."""

    def __init__(self, most: int) -> None:
        self._slots = threading.BoundedSemaphore(most)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises Busy; cancelling gives up waiting, not the work."""
        if not self._slots.acquire(blocking=False):
            raise Busy
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def at_work() -> None:
            try:
                told = _settled(done, work)
            finally:
                self._slots.release()
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody to tell
                loop.call_soon_threadsafe(told)

        try:
            threading.Thread(target=at_work, name="hookwarden daemon", daemon=True).start()
        except RuntimeError:  # no more threads in this process
            self._slots.release()
            raise Busy from None
        return await done


def _settled(done: asyncio.Future[T], work: Callable[[], T]) -> Callable[[], None]:
    """Do the work; gives how to tell of it, in the loop's own thread."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
        fault = error
        return lambda: None if done.done() else done.set_exception(fault)
    return lambda: None if done.done() else done.set_result(result)
