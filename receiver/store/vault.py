"""Sealing: what a person could be known by is kept only under a key of that person's own.

Theory of operation. Every subject (a person, as the sender names them) has a random 256-bit key; what is sealed under
it is `nonce || AES-256-GCM ciphertext`, bound to its place by the additional data. The keys lie in `keys.db`, wrapped
by the master key. A subject is found there by a keyed hash, and known to the main database only by a random `ref`, so
that destroying one row of `keys.db` erases the person everywhere. A key that is gone reads as None, never as an error.

The keyed hash is BLAKE2b (RFC 7693) under a random secret that `keys.db` holds, wrapped too: a new master key rewraps
it, and the hashes stay as they are. New keys are committed to `keys.db` before what they seal is committed; a crash
in between leaves an unused key.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b, sha256
from os import urandom
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from receiver.errors import ConfigurationError, Problem

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
CACHED_KEYS: Final = 4096

_SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subject_key (
  subject BLOB NOT NULL,                      -- keyed hash of the subject
  class   TEXT NOT NULL DEFAULT 'personal',   -- classes with keys of their own can be erased one by one
  ref     BLOB NOT NULL,                      -- what the main database calls the subject
  wrapped BLOB NOT NULL,
  made_at INTEGER NOT NULL,                   -- Unix ms
  PRIMARY KEY (subject, class),
  UNIQUE (ref, class)
) WITHOUT ROWID;
"""
_INDEX_KEY = "SELECT wrapped FROM secret WHERE name = 'index'"
_ADD_INDEX_KEY = "INSERT OR IGNORE INTO secret VALUES ('index', ?)"
_BY_SUBJECT = "SELECT ref, wrapped FROM subject_key WHERE subject = ? AND class = 'personal'"
_BY_REF = "SELECT wrapped FROM subject_key WHERE ref = ? AND class = 'personal'"
_ADD_KEY = "INSERT INTO subject_key (subject, ref, wrapped, made_at) VALUES (?, ?, ?, ?)"


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


class SubjectKey:
    """One subject's key, ready for use."""

    __slots__ = ("_aead", "_nonces", "_salting", "ref")

    def __init__(self, ref: bytes, key: bytes, nonces: _Nonces) -> None:
        self.ref = ref
        self._aead = AESGCM(key)
        self._nonces = nonces
        self._salting = blake2b(b"session salt", key=key).digest()

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt; `place` names where the ciphertext stands, so that it opens nowhere else."""
        nonce = self._nonces.take()
        return nonce + self._aead.encrypt(nonce, plain, place)

    def unseal(self, sealed: bytes | None, place: bytes) -> bytes | None:
        """Decrypt. None for what is not there, was changed, or belongs to another place."""
        if sealed is None:
            return None
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            return None

    def session_salt(self, session_id: str) -> bytes:
        """16 bytes that nobody can guess without the key: gone when the key is gone."""
        return blake2b(session_id.encode("utf-8", "surrogatepass"), key=self._salting, digest_size=16).digest()


class Vault:
    """The keys of one connection to `keys.db`. Not safe to share between threads: each has a vault of its own."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        wrapping: AESGCM,
        index_secret: bytes,
        clock: Callable[[], int],
        check_files: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._check_files = check_files
        self._wrapping = wrapping
        self._index_secret = index_secret
        self._nonces = _Nonces()
        self._cache: OrderedDict[bytes, SubjectKey] = OrderedDict()  # by keyed hash of the subject, and by ref
        self._new: list[tuple[bytes, bytes, bytes, int]] = []
        self._version: int | None = None

    def begin(self) -> None:
        """Begin a view of the keys, and take notice of what others did to them. Call it when the transaction on the
        main database begins: whoever destroys keys holds that one's write lock.
        """
        self._check_files()
        self._connection.execute("BEGIN")  # one for all look-ups: each alone would take and drop file locks
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:  # a key that was destroyed elsewhere must not live on here
            self._cache.clear()
            self._version = version

    def commit(self) -> None:
        """Put new keys on disk. Call it before what they seal is committed. Raises sqlite3.Error."""
        self._connection.executemany(_ADD_KEY, self._new)
        self._connection.execute("COMMIT")
        self._new.clear()

    def rollback(self) -> None:
        """End the view, and forget the keys that were not committed."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if self._new:
            self._new.clear()
            self._cache.clear()

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
        key = SubjectKey(row[0], self._unwrap(row[1], row[0]), self._nonces) if row else self._make(name)
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
        key = SubjectKey(ref, self._unwrap(row[0], ref), self._nonces)
        self._keep(ref, key)
        return key

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

    def _make(self, name: bytes) -> SubjectKey:
        fresh = urandom(16 + KEY_BYTES + NONCE_BYTES)
        ref, key, nonce = fresh[:16], fresh[16 : 16 + KEY_BYTES], fresh[16 + KEY_BYTES :]
        self._new.append((name, ref, nonce + self._wrapping.encrypt(nonce, key, b"subject key" + ref), self._clock()))
        return SubjectKey(ref, key, self._nonces)

    def _unwrap(self, wrapped: bytes, ref: bytes) -> bytes:
        return self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], b"subject key" + ref)


class Keyring:
    """`keys.db`, opened; gives each thread its vault. Raises ConfigurationError when the master key does not fit."""

    def __init__(
        self, path: Path, master: bytes, connect: Callable[[Path], sqlite3.Connection], clock: Callable[[], int]
    ) -> None:
        self._path = path
        self._clock = clock
        self._connect = connect
        self._wrapping = AESGCM(master)
        connection = connect(path)
        try:
            connection.executescript(_SCHEMA)
            self._index_secret = self._open_secret(connection)
        finally:
            connection.close()
        self.fingerprint = sha256(self._index_secret).hexdigest()[:16]
        self.check_files: Callable[[], None] = lambda: None  # raises sqlite3.OperationalError once files were replaced

    def vault(self) -> Vault:
        """A vault with a connection of its own."""
        self.check_files()
        return Vault(self._connect(self._path), self._wrapping, self._index_secret, self._clock, self.check_files)

    def _open_secret(self, connection: sqlite3.Connection) -> bytes:
        if connection.execute(_INDEX_KEY).fetchone() is None:
            nonce = urandom(NONCE_BYTES)
            wrapped = nonce + self._wrapping.encrypt(nonce, urandom(KEY_BYTES), b"index secret")
            connection.execute(_ADD_INDEX_KEY, (wrapped,))
        wrapped = connection.execute(_INDEX_KEY).fetchone()[0]  # another process may have been first
        try:
            return self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], b"index secret")
        except InvalidTag:
            raise misfit(
                self._path, "S002", "does not open with this master key; use the one it was made with"
            ) from None


def misfit(path: Path, code: str, message: str) -> ConfigurationError:
    """A file of the data folder that cannot be used as it is."""
    return ConfigurationError([Problem(str(path), 1, 1, "error", code, message)])
