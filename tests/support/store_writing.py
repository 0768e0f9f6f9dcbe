"""Programs that write to a store until somebody stops them: `python -m tests.support.store_writing COMMAND FOLDER ...`.

write FOLDER LABEL COUNT   record COUNT events (0: for ever), print each one's identifier when it is acknowledged
fill FOLDER                let files grow no more, print what a write says, then let them grow again and print once more
lock FOLDER                hold the write lock, print `locked`, let go when standard input closes
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from receiver.errors import StoreUnavailable
from receiver.store.port import Store, Transaction
from receiver.store.sqlite.store import open_store
from tests.support.store_samples import new_event, planned, record


def _now() -> int:
    return time.time_ns() // 1_000_000


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _event(store: Store, session: str) -> tuple[str, Future[list[str]]]:
    new = new_event(session, at=_now(), body=b'{"filler": "%s"}' % (b"x" * 4000))

    def job(tx: Transaction) -> list[str]:
        return record(tx, new, [planned(), planned()])

    return new.event_id, store.submit(job)


def write(folder: str, label: str, count: str) -> None:
    """Many writes in flight, so that a kill falls into batches."""
    store = open_store(Path(folder), clock=_now)
    waiting: list[tuple[str, Future[list[str]]]] = []
    number = 0
    while not int(count) or number < int(count):
        waiting.append(_event(store, f"{label}-{number % 7}"))
        number += 1
        if len(waiting) > 20:
            event_id, future = waiting.pop(0)
            future.result(30)
            _say(event_id)
    for event_id, future in waiting:
        future.result(30)
        _say(event_id)
    store.close()


def fill(folder: str) -> None:
    """A disk that is full, as the file size limit of this process."""
    store = open_store(Path(folder), clock=_now)
    _event(store, "before")[1].result(10)
    size = (Path(folder) / "hookwarden.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000, resource.RLIM_INFINITY))
    futures = [_event(store, f"full-{number}")[1] for number in range(30)]
    _say(" ".join({type(future.exception(10)).__name__ for future in futures}))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    _say(_event(store, "after")[0] if _event(store, "again")[1].result(10) else "nothing")
    store.close()


def lock(folder: str) -> None:
    """Another process that does not let go."""
    connection = sqlite3.connect(Path(folder) / "hookwarden.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    _say("locked")
    sys.stdin.read()
    connection.execute("ROLLBACK")
    _say("free")


COMMANDS: dict[str, Callable[..., None]] = {"write": write, "fill": fill, "lock": lock}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except StoreUnavailable as error:
        _say(f"unavailable: {error}")
        sys.exit(3)
