"""The embedded default: one SQLite file for the record, one for the keys."""

from __future__ import annotations

import queue
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from receiver.audit.note import NoteError, Signer, Verifier
from receiver.errors import StoreUnavailable
from receiver.store import master, signing
from receiver.store.checkpoints import CheckpointLog
from receiver.store.codes import misfit
from receiver.store.keyring import Keyring
from receiver.store.port import Transaction
from receiver.store.sealing import KEY_BYTES
from receiver.store.sqlite.connect import Mooring, connect_keys, connect_main, connect_reader
from receiver.store.sqlite.ledger import Ledger
from receiver.store.sqlite.migrate import migrate
from receiver.store.sqlite.notary import Notary
from receiver.store.sqlite.reader import SqliteReader
from receiver.store.sqlite.scripts import shipped
from receiver.store.sqlite.transaction import SqliteTransaction
from receiver.store.sqlite.writer import Writer
from receiver.store.vault import Vault

T = TypeVar("T")

OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING
_TRY_AGAIN: Final = 0.15  # seconds: longer than a try holds deliveries up, and they ask again every 0.1 s
_WAIT_SHORTLY: Final = "PRAGMA busy_timeout = 100"  # milliseconds, in which deliveries wait too
IDLE_READERS: Final = 4  # connections kept open for the next reader
_SCRUBBED_AT_START: Final = 1.0  # seconds
_FIX_VIEW: Final = "SELECT 1 FROM meta LIMIT 1"  # BEGIN alone takes no view: the first look at a table does

_NEVER_SIGNED: Final = (  # entries of a version that had no tree: without a note, they would look robbed of it
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM entry) AND NOT EXISTS (SELECT 1 FROM checkpoint)"
    " AND NOT EXISTS (SELECT 1 FROM meta WHERE name = 'signing_key')"
)


class Locker:
    """Where the master key comes from: its file, or who opened the store."""

    def __init__(self, file: master.MasterFile | None, given: list[bytes], clock: Callable[[], int]) -> None:
        self._file = file
        self._given = given  # what the keyring tries
        self._clock = clock

    def change(self, key: bytes | None, rewrap: Callable[[bytes, int], int], fits: Callable[[bytes], bool]) -> int:
        """Rewrap with a new key, so that at every instant a key is found that fits. Raises OSError,
        ConfigurationError.
        """
        new = secrets.token_bytes(KEY_BYTES) if key is None else key
        if self._file is None:
            self._given.append(new)
            return rewrap(new, self._clock())
        with self._file.alone():
            self._file.stage(new, fits)
            count = rewrap(new, self._clock())
            self._file.swap()
            return count


class SqliteStore:
    """The store of one data folder, open. Several processes may have the same folder open."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        keyring: Keyring,
        notary: Notary,
        verifier: Verifier,
        rejects_kept: int,
        locker: Locker,
    ) -> None:
        self.verifier = verifier
        self._locker = locker
        self._path = path
        self._connection = connection
        self._keyring = keyring
        self._vault = vault = keyring.vault()
        self._readers: queue.LifoQueue[_View] = queue.LifoQueue(IDLE_READERS)
        self._closed = False

        def transaction(ledger: Ledger) -> Transaction:
            return SqliteTransaction(connection, ledger, vault, rejects_kept)

        self._writer = Writer(connection, vault, notary, transaction)

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        """Run a job in the next commit. The future raises what the job raised, or StoreUnavailable."""
        return self._writer.submit(job)

    async def run(self, job: Callable[[Transaction], T]) -> T:
        """The same, awaited on the running event loop."""
        return await self._writer.run(job)

    @contextmanager
    def read(self) -> Iterator[SqliteReader]:
        """A consistent view for reading; works beside the writer and beside other processes.

        Raises StoreUnavailable when the files cannot be read. Keep it short: the write-ahead log grows meanwhile.
        """
        view: _View | None = None
        try:
            view = self._take_view()
            with view.opened() as reader:
                yield reader
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(f"the store cannot be read: {error}") from error
        finally:
            if view is not None:
                self._put_back(view)

    def rekey(self, master: bytes | None, actor: str, *, whole: bool = False) -> int:
        """Replace the master key, by a fresh one if none is given; gives of how many persons there are keys. `whole`:
        also the key between the master key and theirs, which stops writes while all of them are wrapped anew. Where the
        key was given when the store was opened, the next opening needs the new one. Raises StoreUnavailable,
        ConfigurationError.
        """

        def rewrap(key: bytes, at: int) -> int:
            return self.submit(lambda tx: tx.rekey(key, actor, at, whole=whole)).result()

        try:
            return self._locker.change(master, rewrap, self._keyring.fits)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"the master key cannot be replaced: {error}") from error

    def scrub(self, seconds: float) -> bool:
        """Cut what was erased from the logs of the files, trying for so long: readers may be in the way. False: they
        were, and its bytes may still be on disk.
        """
        until = time.monotonic() + seconds
        with closing(connect_main(self._path)) as main, closing(connect_keys(self._path.with_name("keys.db"))) as keys:
            main.execute(_WAIT_SHORTLY)
            keys.execute(_WAIT_SHORTLY)
            cut = _repeated(lambda: _truncate_keys(main, keys), until)
            return _repeated(lambda: _truncate(main), until) and cut

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake` (from the writer's thread) after every commit that planned or freed an action."""
        self._writer.on_commit(wake)

    def close(self) -> None:
        """Finish what was submitted, then close. Readers that are still open end by themselves."""
        self._writer.close()
        self._closed = True
        while (view := self._idle_view()) is not None:
            view.close()
        self._vault.close()
        self._connection.close()

    def _take_view(self) -> _View:
        if self._closed:
            raise StoreUnavailable("the store is closed", 1)
        return self._idle_view() or _View(connect_reader(self._path), self._keyring.vault())

    def _idle_view(self) -> _View | None:
        try:
            return self._readers.get_nowait()
        except queue.Empty:
            return None

    def _put_back(self, view: _View) -> None:
        if self._closed:
            view.close()
            return
        try:
            self._readers.put_nowait(view)
        except queue.Full:
            view.close()


def _repeated(done: Callable[[], bool], until: float) -> bool:
    """Try until it is done, or that time is past; gives whether it is done."""
    while not done():
        if time.monotonic() >= until:
            return False
        time.sleep(_TRY_AGAIN)
    return True


def _truncate(connection: sqlite3.Connection) -> bool:
    """Bring the write-ahead log into the database and cut it to nothing; False: readers are in the way."""
    ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return not busy


def _truncate_keys(main: sqlite3.Connection, keys: sqlite3.Connection) -> bool:
    """The same for the keys, under the main database's lock. Whoever writes keys holds that one, and has begun to read
    keys before: SQLite would turn such a writer away at once, without waiting for the end of the cut.
    """
    try:
        main.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    try:
        return _truncate(keys)
    finally:
        main.execute("ROLLBACK")


class _View:
    """A reading connection with a vault of its own."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault

    @contextmanager
    def opened(self) -> Iterator[SqliteReader]:
        self._connection.execute("BEGIN")
        try:
            self._connection.execute(_FIX_VIEW).fetchone()  # before that of the keys, which are committed first
            self._vault.begin()
            yield SqliteReader(self._connection, self._vault)
        finally:
            self._vault.rollback()
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()
        self._vault.close()


def open_store(
    data_dir: Path,
    *,
    clock: Callable[[], int],
    master_key: bytes | None = None,
    rejects_kept: int = 10_000,
    origin: str | None = None,
    sign_every: float = 1.0,
) -> SqliteStore:
    """Open the store in `data_dir`, making and migrating what is missing. `clock` gives Unix milliseconds.

    Files: `hookwarden.db`, `keys.db`, `signing.key`, `checkpoints.log`, and `master.key` unless a 32-byte `master_key`
    is given. `origin` names the log in its checkpoints (drawn at random without), at most one of which is signed in
    `sign_every` seconds.

    Raises ConfigurationError when the files do not fit each other, the key or this program; StoreUnavailable when the
    folder or its files cannot be used.
    """
    try:
        return _open(data_dir, clock, master_key, rejects_kept, origin, sign_every)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the store in {data_dir} cannot be opened: {error}") from error


def _open(
    data_dir: Path,
    clock: Callable[[], int],
    master_key: bytes | None,
    rejects_kept: int,
    origin: str | None,
    sign_every: float,
) -> SqliteStore:
    path, keys = data_dir / "hookwarden.db", data_dir / "keys.db"
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise misfit(path, "S005", f"needs SQLite {oldest} or newer; this Python has {sqlite3.sqlite_version}")
    if not data_dir.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = None
    if master_key is None:
        file = master.read_or_make(data_dir / "master.key", keys)
    given = [] if master_key is None else [master.check(master_key, keys)]
    keyring = Keyring(keys, file.keys if file is not None else lambda: given, connect_keys, clock)
    rotated = file is not None and file.settle(keyring.fits)
    connection = connect_main(path)
    try:
        keyring.check_files = Mooring(path, keys).check
        migrate(connection, path, shipped())
        _bind(connection, path, keyring)
        signer = _signer(connection, path, origin)
        never_signed = connection.execute(_NEVER_SIGNED).fetchone() is not None
        notary = Notary(connection, signer, CheckpointLog(data_dir / "checkpoints.log"), clock, sign_every)
        locker = Locker(file, given, clock)
        store = SqliteStore(path, connection, keyring, notary, signer.verifier, rejects_kept, locker)
    except BaseException:
        connection.close()
        raise
    if rotated:
        facts = {"act": "rekey completed", "outcome": "rotated"}
        store.submit(lambda tx: tx.add_note("key", "store", clock(), facts)).result()
    if keyring.unfinished:
        _finish(store)
    if never_signed:
        store.submit(lambda tx: tx.ask_checkpoint()).result()
    if rotated or keyring.unfinished:
        store.scrub(_SCRUBBED_AT_START)  # what the process that crashed had no time to cut
    return store


def _finish(store: SqliteStore) -> None:
    """Complete erasures that a crash cut short."""
    while store.submit(lambda tx: tx.finish_erasures()).result():
        pass


def _bind(connection: sqlite3.Connection, path: Path, keyring: Keyring) -> None:
    """Make sure that the record and the keys belong together: with other keys, nothing in it could be read."""
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('keyring', ?)", (keyring.fingerprint,))
    (bound,) = connection.execute("SELECT value FROM meta WHERE name = 'keyring'").fetchone()
    if bound != keyring.fingerprint:
        raise misfit(path, "S004", "was not made with the keys.db beside it; put the two back together")


def _signer(connection: sqlite3.Connection, path: Path, origin: str | None) -> Signer:
    """Who signs the record. A log has one name for good."""
    drawn = origin or f"hookwarden.local/{secrets.token_hex(8)}"
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('origin', ?)", (drawn,))
    (bound,) = connection.execute("SELECT value FROM meta WHERE name = 'origin'").fetchone()
    if origin not in (None, bound):
        raise misfit(path, "S007", f"is the log {bound!r}, not {origin!r}: set `audit: {{origin: {bound}}}`")
    (signed,) = connection.execute("SELECT count(*) FROM checkpoint").fetchone()
    private = signing.read_or_make(path.with_name("signing.key"), signed_before=signed > 0)
    try:
        return Signer(bound, private)
    except (NoteError, TypeError):
        raise misfit(path, "S007", "does not say the log's name any more (meta.origin): restore a backup") from None
