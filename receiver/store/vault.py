"""Sealing: what a person could be known by is kept only under keys of that person's own.

Theory of operation. Every subject (a person, as the sender names them) has two random 256-bit keys: one for biometric
data, which the law may want gone sooner, and one for everything else that is personal. What is sealed is
`nonce || AES-256-GCM ciphertext`, bound to its place by the additional data. The keys lie in `keys.db`, in one row,
wrapped. A subject is found there by a keyed hash, and known to the main database only by a `ref` (six
bytes of time, so that its index grows at one end, and ten random ones). Destroying the row, or one key in it, erases
the person everywhere. A key that is gone reads as None, never as an error.

Between the two stands one more key, the key-encryption key: it wraps the others, and the master key wraps it. So a new
master key rewraps one row, however many subjects there are. In a file of an older program there is none, and the master
key wraps all: the first new master key wraps them anew, under one that is made then.

The keyed hash is BLAKE2b (RFC 7693) under a random secret that `keys.db` holds, wrapped too; it outlives every key
above it, and the hashes stay as they are. New keys are committed to `keys.db` before what they seal is committed; a
crash in between leaves an unused key. Keys that are destroyed are committed first too, with a note of what is still to
be done in the main database: a crash in between leaves that note, and who opens the store next does the rest.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b, sha256
from os import urandom
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from receiver.errors import ConfigurationError
from receiver.store.codes import misfit

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
CACHED_KEYS: Final = 4096

Extent: TypeAlias = Literal["all", "biometric"]
"""How much of a person is erased: everything, or what is under the key for biometric data."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subject_key (
  subject   BLOB NOT NULL,                      -- keyed hash of the subject
  class     TEXT NOT NULL DEFAULT 'personal',   -- what `wrapped` is the key of
  ref       BLOB NOT NULL,                      -- what the main database calls the subject
  wrapped   BLOB NOT NULL,
  made_at   INTEGER NOT NULL,                   -- Unix ms
  biometric BLOB,                               -- the key for biometric data, wrapped; null: destroyed, or not made yet
  PRIMARY KEY (subject, class),
  UNIQUE (ref, class)
) WITHOUT ROWID;
-- What was destroyed; `open` while the main database has not followed yet. Tells nothing to who has not the secret.
CREATE TABLE IF NOT EXISTS erasure (
  subject BLOB NOT NULL,
  ref     BLOB NOT NULL,
  extent  TEXT NOT NULL,                        -- all, biometric
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL,
  open    INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (subject, ref, extent, at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS erasure_open ON erasure (ref) WHERE open;
"""
_ADD_COLUMN = "ALTER TABLE subject_key ADD COLUMN biometric BLOB"  # of a file that an older program made
_HAS_COLUMN = "SELECT 1 FROM pragma_table_info('subject_key') WHERE name = 'biometric'"
_INDEX_KEY = "SELECT wrapped FROM secret WHERE name = 'index'"
_ADD_SECRETS = "INSERT OR IGNORE INTO secret VALUES ('kek', ?), ('index', ?)"
_LOCKED = "SELECT wrapped, name FROM secret WHERE name IN ('kek', 'index') ORDER BY name DESC LIMIT 1"
_PUT_WRAPPED = "INSERT INTO secret VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET wrapped = excluded.wrapped"
_BY_SUBJECT = "SELECT ref, wrapped, biometric FROM subject_key WHERE subject = ? AND class = 'personal'"
_BY_REF = "SELECT ref, wrapped, biometric FROM subject_key WHERE ref = ? AND class = 'personal'"
_BY_REFS = "SELECT ref, wrapped, biometric FROM subject_key WHERE ref IN ({}) AND class = 'personal'"
_AT_ONCE: Final = 500  # values in one statement
_ADD_KEY = "INSERT INTO subject_key (subject, ref, wrapped, biometric, made_at) VALUES (?, ?, ?, ?, ?)"
_SET_BIOMETRIC = "UPDATE subject_key SET biometric = ? WHERE ref = ?"
_DESTROY: Final = {
    "all": "DELETE FROM subject_key WHERE ref = ? RETURNING subject",
    "biometric": "UPDATE subject_key SET biometric = NULL WHERE ref = ? RETURNING subject",
}
_NOTE_ERASURE = "INSERT INTO erasure (subject, ref, extent, at, actor) VALUES (?, ?, ?, ?, ?)"
_OPEN_ERASURES = "SELECT ref, extent, at, actor FROM erasure WHERE open ORDER BY at"
_CLOSE_ERASURE = "UPDATE erasure SET open = 0 WHERE ref = ? AND extent = ? AND at = ?"
_ERASED = "SELECT max(at) FROM erasure WHERE subject = ? AND extent = ?"
_COUNT = "SELECT count(*) FROM subject_key"
_ALL_KEYS = "SELECT subject, class, ref, wrapped, biometric FROM subject_key"
_REWRAP = "UPDATE subject_key SET wrapped = ?, biometric = ? WHERE subject = ? AND class = ?"

_PERSONAL: Final = b"subject key"
_BIOMETRIC: Final = b"biometric key"
_INDEX: Final = b"index secret"
_KEK: Final = b"key-encryption key"

_REF_RANDOM: Final = 10  # bytes of a ref, after six of time
_REF_TIME: Final = (1 << 48) - 1

Locked: TypeAlias = tuple[bytes, str]
"""What the master key itself wraps, with its name: `kek`, or, in a file that has none, `index`."""

Unlock: TypeAlias = Callable[[Locked], bytes]
"""Gives the key that wraps the keys of subjects. Raises sqlite3.OperationalError."""


class _Nonces:
    """Random nonces, drawn from the system in bulk: each draw is a system call that also hands the interpreter to
    another thread. Belongs to one thread.
    """

    __slots__ = ("_at", "_drawn")
    _BULK = 256

    def __init__(self) -> None:
        self._drawn, self._at = b"", 0

    def take(self) -> bytes:
        """A nonce that nobody has had."""
        at = self._at
        if at == len(self._drawn):
            self._drawn, at = urandom(self._BULK * NONCE_BYTES), 0
        self._at = at + NONCE_BYTES
        return self._drawn[at : at + NONCE_BYTES]


class Sealer:
    """A key, ready for use."""

    __slots__ = ("_aead", "_nonces")

    def __init__(self, key: bytes, nonces: _Nonces) -> None:
        self._aead = AESGCM(key)
        self._nonces = nonces

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt; `place` names where the ciphertext stands, so that it opens nowhere else."""
        nonce = self._nonces.take()
        return nonce + self._aead.encrypt(nonce, plain, place)

    def unseal(self, sealed: bytes | None, place: bytes) -> bytes | None:
        """Decrypt. None for what is not there, was changed, or belongs to another place or key."""
        if sealed is None:
            return None
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            return None


class SubjectKey(Sealer):
    """One subject's key for personal data, with the one for biometric data beside it."""

    __slots__ = ("_biometric", "_open", "_salting", "ref")

    def __init__(
        self, ref: bytes, key: bytes, nonces: _Nonces, open_biometric: Callable[[], Sealer] | None = None
    ) -> None:
        super().__init__(key, nonces)
        self.ref = ref
        self._salting = blake2b(b"session salt", key=key).digest()
        self._open = open_biometric  # when it is first used: most reads never do
        self._biometric: Sealer | None = None

    @property
    def biometric(self) -> Sealer | None:
        """The key for biometric data; None where it was destroyed, or never made."""
        if self._open is not None:
            self._biometric, self._open = self._open(), None
        return self._biometric

    @biometric.setter
    def biometric(self, made: Sealer) -> None:
        self._biometric, self._open = made, None

    def session_salt(self, session_id: str) -> bytes:
        """16 bytes that nobody can guess without the key: gone when the key is gone."""
        return blake2b(session_id.encode("utf-8", "surrogatepass"), key=self._salting, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class OpenErasure:
    """A destruction of keys that the main database has not followed yet. `at` in Unix ms."""

    ref: bytes
    extent: Extent
    at: int
    actor: str


class Vault:
    """The keys of one connection to `keys.db`. Not safe to share between threads: each has a vault of its own."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        unlock: Unlock,
        index_secret: bytes,
        clock: Callable[[], int],
        check_files: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._check_files = check_files
        self._unlock = unlock
        self._index_secret = index_secret
        self._nonces = _Nonces()
        self._cache: OrderedDict[bytes, SubjectKey] = OrderedDict()  # by keyed hash of the subject, and by ref
        self._new: list[tuple[bytes, bytes, bytes, bytes, int]] = []
        self._touched = False  # since `begin`: keys were made, destroyed or rewrapped
        self._version: int | None = None
        self._locked: Locked | None = None  # where `_kek` came from
        self._kek: bytes
        self._wrapping: AESGCM  # the same, ready for use

    def begin(self) -> None:
        """Begin a view of the keys, and take notice of what others did to them. Call it when the transaction on the
        main database begins: whoever destroys keys holds that one's write lock.
        """
        self._check_files()
        self._connection.execute("BEGIN")  # one for all look-ups: each alone would take and drop file locks
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:  # a key that was destroyed elsewhere must not live on here
            self._cache.clear()
            self._follow_master()
            self._version = version

    def _follow_master(self) -> None:
        """Another process may have rewrapped the keys under a new master key."""
        locked = self._connection.execute(_LOCKED).fetchone()
        if locked != self._locked:
            self._kek = self._unlock(locked)
            self._wrapping = AESGCM(self._kek)
            self._locked = locked

    def commit(self) -> None:
        """Put new keys on disk. Call it before what they seal is committed. Raises sqlite3.Error."""
        self._flush()
        self._connection.execute("COMMIT")
        self._touched = False

    def rollback(self) -> None:
        """End the view, and forget the keys that were not committed."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if self._touched:
            self._new.clear()
            self._cache.clear()
            self._version = self._locked = None  # a new master key was rolled back too
        self._touched = False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def of_subject(self, subject: str) -> SubjectKey:
        """The key of a subject, made now if there is none."""
        name = self.fingerprint(b"subject", subject)
        cached = self._cached(name)
        if cached is not None:
            return cached
        row = self._connection.execute(_BY_SUBJECT, (name,)).fetchone()
        key = self._ready(*row) if row else self._make(name)
        self._keep(name, key)
        self._keep(key.ref, key)
        return key

    def of_ref(self, ref: bytes) -> SubjectKey | None:
        """The key behind a ref; None once it was destroyed."""
        cached = self._cached(ref)
        if cached is not None:
            return cached
        row = self._connection.execute(_BY_REF, (ref,)).fetchone()
        if row is None:
            return None
        key = self._ready(*row)
        self._keep(ref, key)
        return key

    def of_refs(self, refs: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """The keys behind refs, those that are still there: many with one look."""
        wanted = set(refs)
        found = {ref: key for ref in wanted if (key := self._cached(ref)) is not None}
        missing = [ref for ref in wanted if ref not in found]
        for at in range(0, len(missing), _AT_ONCE):
            some = missing[at : at + _AT_ONCE]
            rows = self._connection.execute(_BY_REFS.format(", ".join("?" * len(some))), some)
            found |= {row[0]: self._ready(*row) for row in rows}
        for ref in missing:
            if ref in found:
                self._keep(ref, found[ref])
        return found

    def biometric(self, key: SubjectKey) -> Sealer:
        """The subject's key for biometric data, made now if there is none."""
        sealer = key.biometric
        if sealer is None:
            fresh = urandom(KEY_BYTES)
            self._touch()
            self._connection.execute(_SET_BIOMETRIC, (self._wrap(fresh, _BIOMETRIC + key.ref), key.ref))
            sealer = key.biometric = Sealer(fresh, self._nonces)
        return sealer

    @property
    def house(self) -> Sealer:
        """A key of nobody's, which outlives every erasure: for what operators say of their own acts."""
        return Sealer(blake2b(b"house", key=self._index_secret, digest_size=KEY_BYTES).digest(), self._nonces)

    def find(self, subject: str) -> SubjectKey | None:
        """The key of a subject; None where there is none."""
        row = self._connection.execute(_BY_SUBJECT, (self.fingerprint(b"subject", subject),)).fetchone()
        return self._ready(*row) if row else None

    def erased_at(self, subject: str, extent: Extent) -> int | None:
        """When a subject's keys were last destroyed, in Unix ms; None: never."""
        found = self._connection.execute(_ERASED, (self.fingerprint(b"subject", subject), extent)).fetchone()[0]
        return None if found is None else int(found)

    def destroy(self, ref: bytes, extent: Extent) -> bytes | None:
        """Destroy a subject's keys, or the one for biometric data; gives the keyed hash of the subject, None where
        there was none. The bytes are overwritten in the database, and stand in its log until that is cut.
        """
        self._touch()
        row = self._connection.execute(_DESTROY[extent], (ref,)).fetchone()
        self._cache.clear()
        return None if row is None else bytes(row[0])

    def note_erasure(self, subject: bytes, ref: bytes, extent: Extent, at: int, actor: str) -> None:
        """Note a destruction that the main database has to follow. `close_erasure` ends it."""
        self._connection.execute(_NOTE_ERASURE, (subject, ref, extent, at, actor))

    def open_erasures(self) -> list[OpenErasure]:
        """What was destroyed, and not followed yet."""
        return [OpenErasure(*row) for row in self._connection.execute(_OPEN_ERASURES)]

    def close_erasure(self, erasure: OpenErasure) -> None:
        """The main database has followed, and committed it."""
        self._connection.execute(_CLOSE_ERASURE, (erasure.ref, erasure.extent, erasure.at))

    def rewrap(self, master: bytes, *, whole: bool = False) -> int:
        """Wrap the key-encryption key anew, under another master key; gives how many subjects have keys. `whole`: make
        a fresh one, and wrap everything anew.
        """
        self._touch()
        if whole or self._locked is None or self._locked[1] != "kek":
            self._wrap_all(urandom(KEY_BYTES))
        wrapped = _wrapped(AESGCM(master), self._nonces.take(), self._kek, _KEK)
        self._connection.execute(_PUT_WRAPPED, ("kek", wrapped))
        self._locked = (wrapped, "kek")
        return int(self._connection.execute(_COUNT).fetchone()[0])

    def _wrap_all(self, kek: bytes) -> None:
        old, self._kek, self._wrapping = self._wrapping, kek, AESGCM(kek)
        self._cache.clear()
        self._connection.execute(_PUT_WRAPPED, ("index", self._wrap(self._index_secret, _INDEX)))
        for subject, kind, ref, wrapped, biometric in self._connection.execute(_ALL_KEYS).fetchall():
            personal = self._wrap(_unwrapped(old, wrapped, _PERSONAL + ref), _PERSONAL + ref)
            other = biometric and self._wrap(_unwrapped(old, biometric, _BIOMETRIC + ref), _BIOMETRIC + ref)
            self._connection.execute(_REWRAP, (personal, other, subject, kind))

    def fingerprint(self, purpose: bytes, *parts: str) -> bytes:
        """A keyed hash (16 bytes): equal for equal parts, and tells nothing to who has not the secret."""
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return blake2b(text, key=self._index_secret, digest_size=16, person=purpose).digest()

    def _cached(self, name: bytes) -> SubjectKey | None:
        key = self._cache.get(name)
        if key is not None:
            self._cache.move_to_end(name)
        return key

    def _keep(self, name: bytes, key: SubjectKey) -> None:
        self._cache[name] = key
        if len(self._cache) > CACHED_KEYS:
            self._cache.popitem(last=False)

    def _touch(self) -> None:
        self._touched = True
        self._flush()

    def _flush(self) -> None:
        """Put new keys into the database, though not on disk yet."""
        if self._new:
            self._connection.executemany(_ADD_KEY, self._new)
            self._new.clear()

    def _make(self, name: bytes) -> SubjectKey:
        self._touched = True
        at, fresh = self._clock(), urandom(_REF_RANDOM + 2 * KEY_BYTES)
        ref = (at & _REF_TIME).to_bytes(6, "big") + fresh[:_REF_RANDOM]
        personal, biometric = fresh[_REF_RANDOM : _REF_RANDOM + KEY_BYTES], fresh[_REF_RANDOM + KEY_BYTES :]
        wrapped = self._wrap(personal, _PERSONAL + ref), self._wrap(biometric, _BIOMETRIC + ref)
        self._new.append((name, ref, *wrapped, at))
        key = SubjectKey(ref, personal, self._nonces)
        key.biometric = Sealer(biometric, self._nonces)
        return key

    def _ready(self, ref: bytes, wrapped: bytes, biometric: bytes | None) -> SubjectKey:
        def open_biometric() -> Sealer:
            assert biometric is not None
            return Sealer(_unwrapped(wrapping, biometric, _BIOMETRIC + ref), self._nonces)

        wrapping = self._wrapping
        key = _unwrapped(wrapping, wrapped, _PERSONAL + ref)
        return SubjectKey(ref, key, self._nonces, open_biometric if biometric is not None else None)

    def _wrap(self, key: bytes, place: bytes) -> bytes:
        return _wrapped(self._wrapping, self._nonces.take(), key, place)


def _wrapped(wrapping: AESGCM, nonce: bytes, key: bytes, place: bytes) -> bytes:
    return nonce + wrapping.encrypt(nonce, key, place)


def _unwrapped(wrapping: AESGCM, wrapped: bytes, place: bytes) -> bytes:
    return wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place)


class Keyring:
    """`keys.db`, opened; gives each thread its vault. `master_keys` gives the master keys that may fit, and is asked
    again when keys.db was rewrapped meanwhile. Raises ConfigurationError when none fits.
    """

    def __init__(
        self,
        path: Path,
        master_keys: Callable[[], list[bytes]],
        connect: Callable[[Path], sqlite3.Connection],
        clock: Callable[[], int],
    ) -> None:
        self._path = path
        self._clock = clock
        self._connect = connect
        self._master_keys = master_keys
        connection = connect(path)
        try:
            self._migrate(connection)
            self._index_secret = self._open_secret(connection)
            self.unfinished = bool(connection.execute(_OPEN_ERASURES).fetchall())  # erasures that a crash cut short
        finally:
            connection.close()
        self.fingerprint = sha256(self._index_secret).hexdigest()[:16]
        self.check_files: Callable[[], None] = lambda: None  # raises sqlite3.OperationalError once files were replaced

    def vault(self) -> Vault:
        """A vault with a connection of its own."""
        self.check_files()
        return Vault(self._connect(self._path), self._unlock, self._index_secret, self._clock, self.check_files)

    @staticmethod
    def _migrate(connection: sqlite3.Connection) -> None:
        connection.executescript(_SCHEMA)
        if connection.execute(_HAS_COLUMN).fetchone() is None:
            with suppress(sqlite3.OperationalError):  # another process was first
                connection.execute(_ADD_COLUMN)

    def fits(self, master: bytes) -> bool:
        """Whether keys.db is wrapped by this master key now."""
        connection = self._connect(self._path)
        try:
            return _opened(master, connection.execute(_LOCKED).fetchone()) is not None
        finally:
            connection.close()

    def _open_secret(self, connection: sqlite3.Connection) -> bytes:
        if connection.execute(_INDEX_KEY).fetchone() is None:
            kek = urandom(KEY_BYTES)
            locked = _wrapped(AESGCM(self._master_keys()[0]), urandom(NONCE_BYTES), kek, _KEK)
            index = _wrapped(AESGCM(kek), urandom(NONCE_BYTES), urandom(KEY_BYTES), _INDEX)
            connection.execute(_ADD_SECRETS, (locked, index))  # unless another process is first: both or none
        for _ in range(2):  # it may be rewrapped between our two looks
            connection.execute("BEGIN")
            locked, index = (connection.execute(sql).fetchone() for sql in (_LOCKED, _INDEX_KEY))
            connection.execute("COMMIT")
            fitting = self._fitting(locked)
            if fitting is not None:
                return _unwrapped(AESGCM(fitting), index[0], _INDEX)
        raise misfit(self._path, "S002", "does not open with this master key; use the one it was made with")

    def _fitting(self, locked: Locked) -> bytes | None:
        return next((kek for master in self._master_keys() if (kek := _opened(master, locked)) is not None), None)

    def _unlock(self, locked: Locked) -> bytes:
        try:
            kek = self._fitting(locked)
        except (ConfigurationError, OSError) as error:  # while we run it is trouble of the store, which may pass
            raise sqlite3.OperationalError(f"no master key can be read: {error}") from error
        if kek is None:
            raise sqlite3.OperationalError("keys.db has another master key by now: restart with that one")
        return kek


def _opened(master: bytes, locked: Locked) -> bytes | None:
    """The key that wraps the keys of subjects; None: this master key does not open it."""
    wrapped, name = locked
    try:
        opened = _unwrapped(AESGCM(master), wrapped, _KEK if name == "kek" else _INDEX)
    except InvalidTag:
        return None
    return opened if name == "kek" else master
