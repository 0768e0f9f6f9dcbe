"""The keys of persons, opened to be held against the record: nothing is made or written, no key leaves it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from receiver.audit.leaf import session_hash
from receiver.audit.persons import State
from receiver.errors import ConfigurationError, StoreUnavailable
from receiver.store.keyring import opened
from receiver.store.keysdb import LOCKED
from receiver.store.master import MasterFile, parse
from receiver.store.sealing import BIOMETRIC, PERSONAL, session_salt, unwrap

_STATES = (
    "SELECT ref, CAST(wrapped AS BLOB), CAST(biometric AS BLOB) FROM subject_key WHERE class = 'personal'"
    " AND typeof(ref) = 'blob' ORDER BY ref"
)
_KEY = "SELECT CAST(wrapped AS BLOB) FROM subject_key WHERE ref = ? AND class = 'personal'"
_CACHED: Final = 4096


class NoKeys:
    """What there is to read where keys.db is missing."""

    opens = False

    def states(self) -> Iterator[tuple[bytes, State, State]]:
        """Nobody has keys."""
        return iter(())

    def mark(self, ref: bytes, session_id: str) -> str | None:
        """None."""
        return None

    def close(self) -> None:
        """Nothing is held."""


class KeyEvidence:
    """keys.db of a data folder. `master_keys` gives those that may fit: without one that does, keys are known to be
    there (`opens` False), not whether they open. Raises StoreUnavailable where the file cannot be read.
    """

    def __init__(self, path: Path, master_keys: Callable[[], Sequence[bytes]]) -> None:
        try:
            self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            self._locked = self._connection.execute(LOCKED).fetchone()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path} cannot be read: {error}; restore it from a backup") from error
        self._master_keys = master_keys
        self._wrapping = self._unlocked()
        self._cache: dict[bytes, bytes | None] = {}

    @property
    def opens(self) -> bool:
        """Whether there is a master key that fits."""
        return self._wrapping is not None

    def states(self) -> Iterator[tuple[bytes, State, State]]:
        """Of every person with keys, ascending by ref: the personal key, the one for biometric data."""
        self._connection.execute("BEGIN")
        try:
            locked = self._connection.execute(LOCKED).fetchone()
            if locked != self._locked:  # the keys were put under another master key meanwhile
                self._locked = locked
                self._wrapping = self._unlocked()
            for ref, wrapped, biometric in self._connection.execute(_STATES):
                yield ref, self._state(wrapped, PERSONAL + ref), self._state(biometric, BIOMETRIC + ref)
        finally:
            self._connection.execute("ROLLBACK")

    def mark(self, ref: bytes, session_id: str) -> str | None:
        """How a session of a person must stand in leaves; None where the key that it takes cannot be had."""
        if ref not in self._cache:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[ref] = self._key(ref)
        key = self._cache[ref]
        return None if key is None else session_hash(session_salt(key, session_id), session_id)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @classmethod
    def beside(cls, data_dir: Path, given: str | None) -> KeyEvidence | NoKeys:
        """The keys of a data folder, under the master key that was `given` as text, or that in its file."""
        path = data_dir / "keys.db"

        def master_keys() -> list[bytes]:
            with suppress(ConfigurationError, OSError):  # verified without, as far as that goes
                found = [parse(given) or b""] if given is not None else MasterFile(data_dir / "master.key").keys()
                return [key for key in found if key]
            return []

        return cls(path, master_keys) if path.exists() else NoKeys()

    def _unlocked(self) -> AESGCM | None:
        """The key that wraps those of persons."""
        locked = self._locked
        fitting = (opened(master, locked) for master in self._master_keys()) if locked is not None else ()
        kek = next((key for key in fitting if key is not None), None)
        return AESGCM(kek) if kek is not None else None

    def _key(self, ref: bytes) -> bytes | None:
        row = self._connection.execute(_KEY, (ref,)).fetchone() if self._wrapping is not None else None
        return None if row is None else self._opened(row[0], PERSONAL + ref)

    def _state(self, wrapped: bytes | None, place: bytes) -> State:
        if wrapped is None:
            return "none"
        return "sound" if self._wrapping is None or self._opened(wrapped, place) is not None else "damaged"

    def _opened(self, wrapped: bytes, place: bytes) -> bytes | None:
        assert self._wrapping is not None
        try:
            return unwrap(self._wrapping, wrapped, place)
        except (InvalidTag, ValueError):
            return None
