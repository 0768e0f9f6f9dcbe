"""`keys.db`, opened: its secret, and the master keys that unlock it. See `receiver/store/vault.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from os import urandom
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from receiver.errors import ConfigurationError
from receiver.store import keysdb
from receiver.store.codes import misfit
from receiver.store.keysdb import Locked
from receiver.store.sealing import INDEX, KEK, KEY_BYTES, NONCE_BYTES, unwrap, wrap
from receiver.store.vault import Vault


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
            self.unfinished = bool(connection.execute(keysdb.OPEN_ERASURES).fetchall())  # a crash cut erasures short
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
        connection.executescript(keysdb.SCHEMA)
        if connection.execute(keysdb.HAS_COLUMN).fetchone() is None:
            with suppress(sqlite3.OperationalError):  # another process was first
                connection.execute(keysdb.ADD_COLUMN)

    def fits(self, master: bytes) -> bool:
        """Whether keys.db is wrapped by this master key now."""
        connection = self._connect(self._path)
        try:
            return opened(master, connection.execute(keysdb.LOCKED).fetchone()) is not None
        finally:
            connection.close()

    def _open_secret(self, connection: sqlite3.Connection) -> bytes:
        if connection.execute(keysdb.INDEX_KEY).fetchone() is None:
            kek = urandom(KEY_BYTES)
            locked = wrap(AESGCM(self._master_keys()[0]), urandom(NONCE_BYTES), kek, KEK)
            index = wrap(AESGCM(kek), urandom(NONCE_BYTES), urandom(KEY_BYTES), INDEX)
            connection.execute(keysdb.ADD_SECRETS, (locked, index))  # unless another process is first: both or none
        for _ in range(2):  # it may be rewrapped between our two looks
            connection.execute("BEGIN")
            locked, index = (connection.execute(sql).fetchone() for sql in (keysdb.LOCKED, keysdb.INDEX_KEY))
            connection.execute("COMMIT")
            fitting = self._fitting(locked)
            if fitting is not None:
                return self._index(AESGCM(fitting), index[0])
        raise misfit(self._path, "S002", "does not open with this master key; use the one it was made with")

    def _index(self, wrapping: AESGCM, wrapped: bytes) -> bytes:
        try:
            return unwrap(wrapping, wrapped, INDEX)
        except (InvalidTag, ValueError, TypeError):  # TypeError: it was replaced by something else than bytes
            what = "has a damaged secret, without which nobody is found in it; restore it from a backup"
            raise misfit(self._path, "S002", what) from None

    def _fitting(self, locked: Locked) -> bytes | None:
        return next((kek for master in self._master_keys() if (kek := opened(master, locked)) is not None), None)

    def _unlock(self, locked: Locked) -> bytes:
        try:
            kek = self._fitting(locked)
        except (ConfigurationError, OSError) as error:  # while we run it is trouble of the store, which may pass
            raise sqlite3.OperationalError(f"no master key can be read: {error}") from error
        if kek is None:
            raise sqlite3.OperationalError("keys.db has another master key by now: restart with that one")
        return kek


def opened(master: bytes, locked: Locked) -> bytes | None:
    """The key that wraps the keys of subjects; None: this master key does not open it."""
    wrapped, name = locked
    try:
        opened = unwrap(AESGCM(master), wrapped, KEK if name == "kek" else INDEX)
    except InvalidTag:
        return None
    return opened if name == "kek" else master
