"""Signing the state of the tree: at most once in so many seconds, and never two branches of one log.

Before it signs, it works out anew from the tiles what the root was at the newest checkpoint, of the table and of
checkpoints.log: a tree that does not continue what was signed is not signed any more, and said so loudly. What comes in
is stored all the same: a lost event is worse than an unsigned one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from receiver.audit.note import Checkpoint, NoteError, Signer, open_checkpoint
from receiver.audit.tree import TreeError
from receiver.store.checkpoints import CheckpointLog
from receiver.store.sqlite.tiles import Tiles

MS_PER_HOUR: Final = 3_600_000

_NEWEST = "SELECT size, at, note FROM checkpoint ORDER BY size DESC LIMIT 1"
_KEYED = "SELECT 1 FROM meta WHERE name = 'signing_key'"
_ADD = "INSERT INTO checkpoint VALUES (?, ?, ?)"
_THIN = "DELETE FROM checkpoint WHERE size < ? AND at >= ?"  # one an hour stays

_log = structlog.get_logger()


class Notary:
    """Of one writing connection; used by the writer's thread alone. `every` in seconds."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        signer: Signer,
        log: CheckpointLog,
        clock: Callable[[], int],
        every: float = 1.0,
    ) -> None:
        self._connection = connection
        self._signer = signer
        self._log = log
        self._clock = clock
        self._every = every
        self._tiles = Tiles(connection)
        self._before = log.newest(signer.verifier)  # what was signed before this process began
        self._robbed = self._before is None and self._was_signed() and not connection.execute(_NEWEST).fetchone()
        self._unsigned = False
        self._retry_at = 0.0
        self._signed: str | None = None  # in this transaction
        self._pending: list[str] = []  # committed, but not yet in the log
        self._seen: str | None = None  # the newest note of the table, as far as we signed it or saw to it
        self._announced = False
        self._catch_up()

    def wait(self) -> float | None:
        """Seconds until what is not signed yet may be; None: all is."""
        return max(0.0, self._retry_at - time.monotonic()) if self._unsigned or self._pending else None

    def attend(self, size: int, *, now: bool) -> None:
        """Inside the transaction: sign the tree of `size` entries if it is time, or `now`. Raises sqlite3.Error."""
        self._retry_at = time.monotonic() + self._every
        newest = self._connection.execute(_NEWEST).fetchone()
        self._see_to(newest)
        if size == 0 or (newest and newest[0] == size):
            self._unsigned = False
            return
        at = self._clock()
        self._unsigned = True
        if newest and not now and 0 <= at - newest[1] < self._every * 1000:
            return
        try:
            note = self._sign(size, newest[2] if newest else None)
        except (TreeError, NoteError) as fault:
            self._unsigned = False
            self._announce(str(fault))
            return
        self._connection.execute(_ADD, (size, at, note))
        self._connection.execute(_THIN, (size, at - at % MS_PER_HOUR))
        self._signed = note

    def committed(self) -> None:
        """After the commit: what was signed goes into the log."""
        if self._signed is not None:
            self._pending.append(self._signed)
            self._seen = self._signed
            self._unsigned, self._signed = False, None
        self._write_down()

    def rolled_back(self) -> None:
        """What was signed in this transaction is void. The next try waits its turn, whatever failed."""
        self._signed = None
        self._retry_at = time.monotonic() + self._every

    def _sign(self, size: int, newest: str | None) -> str:
        """Raises TreeError, NoteError when the tree is not what was signed before, with more behind it."""
        if self._robbed and newest is None:
            raise NoteError("it was signed before, and no note of that is left: they were removed")
        if newest is not None:
            self._must_continue(open_checkpoint(newest, self._signer.verifier), size)
        if self._before is not None:
            self._must_continue(self._before, size)
            self._before = None
        return self._signer.sign(Checkpoint(self._signer.name, size, self._tiles.root(size)).text())

    def _must_continue(self, before: Checkpoint, size: int) -> None:
        if before.size > size:
            raise TreeError(f"the record has {size} entries, but {before.size} were signed: its end was cut off")
        if before.size and self._tiles.root(before.size) != before.root:
            raise TreeError(f"the first {before.size} entries are not those that were signed")

    def _was_signed(self) -> bool:
        """Whether the record says, from before this process, that it is signed."""
        return self._connection.execute(_KEYED).fetchone() is not None

    def _announce(self, fault: str) -> None:
        if not self._announced:
            _log.critical("the record is not signed any more", reason=fault, cure="run `hookwarden audit verify`")
        self._announced = True

    def _catch_up(self) -> None:
        """A process that died after a commit left its last note out of the log."""
        self._see_to(self._connection.execute(_NEWEST).fetchone())
        self._write_down()

    def _see_to(self, newest: tuple[int, int, str] | None) -> None:
        """Have the newest note of the table in the log, whoever signed it: its process may have died between the two.
        One that is just about to write it itself makes it stand there twice, which does no harm.
        """
        if newest is None or newest[2] == self._seen:
            return
        with suppress(OSError):  # looked for again with the next commit
            if not self._log.has(newest[2]) and self._is_ours(newest[2]):
                self._pending.append(newest[2])
            self._seen = newest[2]

    def _is_ours(self, note: str) -> bool:
        with suppress(NoteError):
            open_checkpoint(note, self._signer.verifier)
            return True
        return False

    def _write_down(self) -> None:
        with suppress(OSError):  # tried again later; the table has the newest
            while self._pending:
                self._log.append(self._pending[0])
                del self._pending[0]
