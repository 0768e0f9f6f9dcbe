"""A dispatcher in a process of its own: `python -m tests.support.dispatch_process DATA_DIR OWNER LEASE SECONDS`.

Its handlers take SECONDS and write a line to DATA_DIR/calls.log when they begin and when they end. Prints `ready` when
it runs; SIGTERM drains it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from receiver.contract import ActionCall, Outcome
from receiver.dispatch.dispatcher import Dispatcher
from receiver.store.sqlite.store import open_store
from tests.support.dispatching import QUICK, Told, spec


def lines(data_dir: Path) -> list[dict[str, Any]]:
    """What all processes wrote, in the order in which they wrote it."""
    path = data_dir / "calls.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _now() -> int:
    return time.time_ns() // 1_000_000


async def work(data_dir: Path, owner: str, lease: float, seconds: float) -> None:
    """Run until SIGTERM."""
    log = os.open(data_dir / "calls.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(what: str, call: ActionCall) -> None:
        line = {
            "what": what,
            "owner": owner,
            "action": call.action_id,
            "session": call.event["session_id"],
            "i": call.params["i"],
            "attempt": call.attempt,
            "repeated": call.repeated,
        }
        os.write(log, json.dumps(line).encode() + b"\n")  # one write: lines of several processes do not mix

    async def handler(call: ActionCall) -> Outcome:
        note("begin", call)
        await asyncio.sleep(seconds)
        note("end", call)
        return Outcome("done")

    store = open_store(data_dir, clock=_now)
    dispatcher = Dispatcher(
        store,
        {"a": handler},
        {"a": spec("a")},
        retry=QUICK,
        concurrency=8,
        owner=owner,
        clock=_now,
        random=random.random,
        lease=lease,
        on_done=Told().on_done,
    )
    store.on_commit(dispatcher.wake)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    running = asyncio.create_task(dispatcher.run())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await stopping.wait()
    await dispatcher.drain(5)
    await running
    store.close()
    os.close(log)


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
