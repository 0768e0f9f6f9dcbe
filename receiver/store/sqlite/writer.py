"""Group commit: one thread takes all jobs that wait and commits them together.

A commit costs a disk flush whatever it holds, so jobs that wait at the same time share one. Each runs in a savepoint:
one that raises undoes itself and nobody else. Where SQLite itself cannot go on (disk full, locked, input/output
error), the whole batch is rolled back and every job of it gets StoreUnavailable; the next batch starts afresh, so the
store recovers by itself. Nobody is told of success before the commit is on disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from receiver.audit.tree import TreeError
from receiver.errors import StoreUnavailable
from receiver.store.port import Transaction
from receiver.store.sqlite.ledger import Ledger
from receiver.store.sqlite.notary import Notary

T = TypeVar("T")

MAX_BATCH: Final = 256
MAX_WAITING: Final = 10_000
LINGER_SECONDS: Final = 0.001  # at most so long for half as many jobs as the last batch had; who is alone waits not

# What is our trouble and not the job's: https://sqlite.org/rescode.html
_TROUBLE = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    )
)

Job: TypeAlias = Callable[[Transaction], Any]
Loop: TypeAlias = asyncio.AbstractEventLoop
Wait: TypeAlias = "Future[Any] | asyncio.Future[Any]"


class Keys(Protocol):
    """What the writer asks of the vault: to keep in step with the transaction."""

    def begin(self) -> None:
        """See receiver/store/vault.py."""

    def commit(self) -> None:
        """See receiver/store/vault.py."""

    def rollback(self) -> None:
        """See receiver/store/vault.py."""


class Ticket:
    """One job on its way, and who waits for it. `loop` None: a thread waits."""

    __slots__ = ("future", "job", "loop", "raised", "result")

    def __init__(self, job: Job, future: Wait, loop: Loop | None) -> None:
        self.job = job
        self.future = future
        self.loop = loop
        self.result: Any = None
        self.raised: BaseException | None = None

    def tell(self) -> None:
        """Resolve the future, unless who waited has gone. For an asyncio future: on its own loop."""
        if self.future.cancelled() or (self.loop is None and not _still_wanted(self.future)):
            return
        if self.raised is not None:
            self.future.set_exception(self.raised)
        else:
            self.future.set_result(self.result)


class Writer:
    """The one thread that writes. `transaction` makes a job's view of the transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        keys: Keys,
        notary: Notary,
        transaction: Callable[[Ledger], Transaction],
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._notary = notary
        self._transaction = transaction
        self._waiting: SimpleQueue[Ticket] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._last = 1  # jobs in the last batch
        self._wakes: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        """Put a job in line. The future raises what the job raised, or StoreUnavailable."""
        future: Future[T] = Future()
        self._put(Ticket(job, future, None))
        return future

    async def run(self, job: Callable[[Transaction], T]) -> T:
        """The same, awaited on the running event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._put(Ticket(job, future, loop))
        return await future

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from the writer's thread, after commits that planned or freed an action."""
        self._wakes.append(wake)

    def close(self) -> None:
        """Finish what is in line, take nothing more."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._waiting.put(_END)
        self._thread.join()

    def _put(self, ticket: Ticket) -> None:
        with self._gate:  # nothing may come behind the mark that ends the line
            if not self._closed and self._waiting.qsize() < MAX_WAITING:
                self._waiting.put(ticket)
                return
        ticket.raised = StoreUnavailable("the store is closed" if self._closed else "too many writes are waiting", 1)
        ticket.tell()

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._gather()
            if batch or self._notary.wait() == 0:
                woke = self._write(batch)
                _tell_all(batch)
                if woke:
                    self._wake()
        if self._notary.wait() is not None:
            self._write([], sign=True)

    def _gather(self) -> tuple[list[Ticket], bool]:
        """The next batch, and whether more may come. Empty also when it is time to sign what came before."""
        try:
            first = self._waiting.get(timeout=self._notary.wait())
        except Empty:
            return [], True
        if first is _END:
            return [], False
        batch = [first]
        deadline = time.monotonic() + LINGER_SECONDS
        with suppress(Empty):
            while len(batch) < MAX_BATCH:
                patience = deadline - time.monotonic() if len(batch) < self._last // 2 else 0
                ticket = self._waiting.get(timeout=max(patience, 0))
                if ticket is _END:
                    return batch, False
                batch.append(ticket)
        self._last = len(batch)
        return batch, True

    def _write(self, batch: list[Ticket], *, sign: bool = False) -> bool:
        """Run the jobs and commit them. True: an action was planned or freed."""
        ledger = Ledger()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._keys.begin()
            ledger.begin(self._connection)
            for ticket in batch:
                self._run_job(ticket, ledger)
            ledger.flush(self._connection)
            self._notary.attend(ledger.size, now=sign or ledger.sign)
            self._keys.commit()
            self._connection.execute("COMMIT")
            self._notary.committed()
        except Exception as error:  # noqa: BLE001  # whatever it was: nobody may be left waiting, nothing half-written
            self._rollback()
            if isinstance(error, sqlite3.Error) and is_trouble(error):
                batch += self._take_waiting()
            for ticket in batch:
                ticket.raised = _unavailable(error)
            return False
        return ledger.woke

    def _take_waiting(self) -> list[Ticket]:
        """Everything in line: each batch would wait for the same trouble anew, longer than any sender."""
        taken: list[Ticket] = []
        with suppress(Empty):
            while (ticket := self._waiting.get_nowait()) is not _END:
                taken.append(ticket)
            self._waiting.put(_END)
        return taken

    def _run_job(self, ticket: Ticket, ledger: Ledger) -> None:
        execute, mark = self._connection.execute, ledger.mark()
        execute("SAVEPOINT job")
        try:
            ticket.result = ticket.job(self._transaction(ledger))
        except BaseException as error:  # the job's own: handed to who waits for it
            if isinstance(error, sqlite3.Error) and is_trouble(error):
                raise
            execute("ROLLBACK TO job")
            ledger.rewind(mark)
            ticket.raised = error
        execute("RELEASE job")

    def _rollback(self) -> None:
        with suppress(sqlite3.Error):  # where SQLite has rolled back by itself
            self._connection.execute("ROLLBACK")
        with suppress(sqlite3.Error):
            self._keys.rollback()
        self._notary.rolled_back()

    def _wake(self) -> None:
        for wake in self._wakes:
            with suppress(RuntimeError):  # its event loop is closed: nobody is there to be woken
                wake()


_END = Ticket(lambda _tx: None, Future(), None)


def _still_wanted(future: Wait) -> bool:
    """For a thread's future, which another thread may cancel at any time: from here on it cannot."""
    assert isinstance(future, Future)
    return future.set_running_or_notify_cancel()


def is_trouble(error: sqlite3.Error) -> bool:
    """Whether the store is at fault, and not the statement."""
    return (getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF) in _TROUBLE


def _unavailable(error: Exception) -> BaseException:
    """What the jobs of a failed batch get: a bug stays a bug."""
    if isinstance(error, sqlite3.Error):
        return StoreUnavailable(f"nothing was stored: {error}")
    if isinstance(error, TreeError):
        return StoreUnavailable(f"nothing was stored: {error}; run `hookwarden audit verify`")
    return error


def _tell_all(batch: list[Ticket]) -> None:
    """Resolve all futures: those of an event loop with one call across threads."""
    loops: dict[Loop, list[Ticket]] = {}
    for ticket in batch:
        if ticket.loop is None:
            ticket.tell()
        else:
            loops.setdefault(ticket.loop, []).append(ticket)
    for loop, tickets in loops.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_tell_each, tickets)


def _tell_each(tickets: list[Ticket]) -> None:
    for ticket in tickets:
        ticket.tell()
