"""Reading the store for an answer: in a thread, so that a long query holds up no delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from receiver.store.reader import Reader
from receiver.wiring import System

T = TypeVar("T")


async def read(system: System, ask: Callable[[Reader], T]) -> T:
    """What a question to one view of the store gives."""

    def run() -> T:
        with system.store.read() as reader:
            return ask(reader)

    return await run_in_threadpool(run)
