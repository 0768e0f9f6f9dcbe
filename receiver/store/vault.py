"""Sealing: what a person could be known by is kept only under keys of that person's own.

Theory of operation. Every subject (a person, as the sender names them) has two random 256-bit keys: one for biometric
data, which the law may want gone sooner, and one for everything else that is personal. What is sealed is
`nonce || AES-256-GCM ciphertext`, bound to its place by the additional data. The keys lie in `keys.db`, in one row,
wrapped. A subject is found there by a keyed hash, and known to the main database only by a `ref` (six
bytes of time, so that its index grows at one end, and ten random ones). Destroying the row, or one key in it, erases
the person everywhere. A key that is gone reads as None, never as an error; one that does not open any more, as somebody
changed keys.db, is an error for who writes, and reads as None for who only reads.

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
from hashlib import blake2b
from os import urandom
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from receiver.errors import StoreUnavailable
from receiver.store import keysdb
from receiver.store.keysdb import Locked
from receiver.store.sealing import BIOMETRIC, INDEX, KEK, KEY_BYTES, PERSONAL, Nonces, Sealer, SubjectKey, unwrap, wrap
from receiver.store.shapes import Extent

CACHED_KEYS: Final = 4096

_AT_ONCE: Final = 500  # values in one statement
_REF_RANDOM: Final = 10  # bytes of a ref, after six of time
_REF_TIME: Final = (1 << 48) - 1

Unlock: TypeAlias = Callable[[Locked], bytes]
"""Gives the key that wraps the keys of subjects. Raises sqlite3.OperationalError."""


class KeyDamaged(StoreUnavailable):
    """A person's key is there, and does not open: keys.db was changed."""


@dataclass(frozen=True, slots=True)
class Held:
    """Which keys a person has in keys.db."""

    ref: bytes
    biometric: bool


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
        self._nonces = Nonces()
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
        locked = self._connection.execute(keysdb.LOCKED).fetchone()
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
        row = self._connection.execute(keysdb.BY_SUBJECT, (name,)).fetchone()
        key = self._ready(*row) if row else self._make(name)
        self._keep(name, key)
        self._keep(key.ref, key)
        return key

    def of_ref(self, ref: bytes) -> SubjectKey | None:
        """The key behind a ref; None once it was destroyed. Raises KeyDamaged."""
        cached = self._cached(ref)
        if cached is not None:
            return cached
        row = self._connection.execute(keysdb.BY_REF, (ref,)).fetchone()
        if row is None:
            return None
        key = self._ready(*row)
        self._keep(ref, key)
        return key

    def readable(self, ref: bytes) -> SubjectKey | None:
        """The key behind a ref; None, or without the biometric one, also where it is damaged."""
        with suppress(KeyDamaged):
            key = self.of_ref(ref)
            return None if key is None else _as_far_as_sound(key)
        return None

    def of_refs(self, refs: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """The keys behind refs, those that are still there and open: many with one look."""
        wanted = set(refs)
        found = {ref: key for ref in wanted if (key := self._cached(ref)) is not None}
        missing = [ref for ref in wanted if ref not in found]
        for at in range(0, len(missing), _AT_ONCE):
            some = missing[at : at + _AT_ONCE]
            rows = self._connection.execute(keysdb.BY_REFS.format(", ".join("?" * len(some))), some)
            found |= {row[0]: key for row in rows if (key := self._if_sound(*row)) is not None}
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
            self._connection.execute(keysdb.SET_BIOMETRIC, (self._wrap(fresh, BIOMETRIC + key.ref), key.ref))
            sealer = key.biometric = Sealer(fresh, self._nonces)
        return sealer

    @property
    def house(self) -> Sealer:
        """A key of nobody's, which outlives every erasure: for what operators say of their own acts."""
        return Sealer(blake2b(b"house", key=self._index_secret, digest_size=KEY_BYTES).digest(), self._nonces)

    def find(self, subject: str) -> Held | None:
        """Whose keys a subject has; None where there are none. They may be damaged."""
        row = self._connection.execute(keysdb.BY_SUBJECT, (self.fingerprint(b"subject", subject),)).fetchone()
        return None if row is None else Held(row[0], row[2] is not None)

    def held(self, ref: bytes) -> Held | None:
        """The same by the ref."""
        row = self._connection.execute(keysdb.BY_REF, (ref,)).fetchone()
        return None if row is None else Held(row[0], row[2] is not None)

    def erased_at(self, subject: str, extent: Extent) -> int | None:
        """When a subject's keys were last destroyed, in Unix ms; None: never."""
        found = self._connection.execute(keysdb.ERASED, (self.fingerprint(b"subject", subject), extent)).fetchone()[0]
        return None if found is None else int(found)

    def destroy(self, ref: bytes, extent: Extent) -> bytes | None:
        """Destroy a subject's keys, or the one for biometric data; gives the keyed hash of the subject, None where
        there was none. The bytes are overwritten in the database, and stand in its log until that is cut.
        """
        self._touch()
        row = self._connection.execute(keysdb.DESTROY[extent], (ref,)).fetchone()
        self._cache.clear()
        return None if row is None else bytes(row[0])

    def note_erasure(self, subject: bytes, ref: bytes, extent: Extent, at: int, actor: str) -> None:
        """Note a destruction that the main database has to follow. `close_erasure` ends it."""
        self._connection.execute(keysdb.NOTE_ERASURE, (subject, ref, extent, at, actor))

    def open_erasures(self) -> list[OpenErasure]:
        """What was destroyed, and not followed yet."""
        return [OpenErasure(*row) for row in self._connection.execute(keysdb.OPEN_ERASURES)]

    def close_erasure(self, erasure: OpenErasure) -> None:
        """The main database has followed, and committed it."""
        self._connection.execute(keysdb.CLOSE_ERASURE, (erasure.ref, erasure.extent, erasure.at))

    def rewrap(self, master: bytes, *, whole: bool = False) -> int:
        """Wrap the key-encryption key anew, under another master key; gives how many subjects have keys. `whole`: make
        a fresh one, and wrap everything anew.
        """
        self._touch()
        if whole or self._locked is None or self._locked[1] != "kek":
            self._wrap_all(urandom(KEY_BYTES))
        wrapped = wrap(AESGCM(master), self._nonces.take(), self._kek, KEK)
        self._connection.execute(keysdb.PUT_WRAPPED, ("kek", wrapped))
        self._locked = (wrapped, "kek")
        return int(self._connection.execute(keysdb.COUNT).fetchone()[0])

    def _wrap_all(self, kek: bytes) -> None:
        old, self._kek, self._wrapping = self._wrapping, kek, AESGCM(kek)
        self._cache.clear()
        self._connection.execute(keysdb.PUT_WRAPPED, ("index", self._wrap(self._index_secret, INDEX)))
        for subject, kind, ref, wrapped, biometric in self._connection.execute(keysdb.ALL_KEYS).fetchall():
            personal = self._wrap(_unwrapped(old, wrapped, PERSONAL, ref), PERSONAL + ref)
            other = biometric and self._wrap(_unwrapped(old, biometric, BIOMETRIC, ref), BIOMETRIC + ref)
            self._connection.execute(keysdb.REWRAP, (personal, other, subject, kind))

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
            self._connection.executemany(keysdb.ADD_KEY, self._new)
            self._new.clear()

    def _make(self, name: bytes) -> SubjectKey:
        self._touched = True
        at, fresh = self._clock(), urandom(_REF_RANDOM + 2 * KEY_BYTES)
        ref = (at & _REF_TIME).to_bytes(6, "big") + fresh[:_REF_RANDOM]
        personal, biometric = fresh[_REF_RANDOM : _REF_RANDOM + KEY_BYTES], fresh[_REF_RANDOM + KEY_BYTES :]
        wrapped = self._wrap(personal, PERSONAL + ref), self._wrap(biometric, BIOMETRIC + ref)
        self._new.append((name, ref, *wrapped, at))
        key = SubjectKey(ref, personal, self._nonces)
        key.biometric = Sealer(biometric, self._nonces)
        return key

    def _ready(self, ref: bytes, wrapped: bytes, biometric: bytes | None) -> SubjectKey:
        def open_biometric() -> Sealer:
            assert biometric is not None
            return Sealer(_unwrapped(wrapping, biometric, BIOMETRIC, ref), self._nonces)

        wrapping = self._wrapping
        key = _unwrapped(wrapping, wrapped, PERSONAL, ref)
        return SubjectKey(ref, key, self._nonces, open_biometric if biometric is not None else None)

    def _if_sound(self, ref: bytes, wrapped: bytes, biometric: bytes | None) -> SubjectKey | None:
        with suppress(KeyDamaged):
            return _as_far_as_sound(self._ready(ref, wrapped, biometric))
        return None

    def _wrap(self, key: bytes, place: bytes) -> bytes:
        return wrap(self._wrapping, self._nonces.take(), key, place)


def _as_far_as_sound(key: SubjectKey) -> SubjectKey:
    try:
        _ = key.biometric
    except KeyDamaged:
        key.biometric = None
    return key


def _unwrapped(wrapping: AESGCM, wrapped: bytes, place: bytes, ref: bytes) -> bytes:
    """Raises KeyDamaged."""
    try:
        return unwrap(wrapping, wrapped, place + ref)
    except (InvalidTag, ValueError, TypeError) as fault:  # TypeError: it was replaced by something else than bytes
        what = f"the {place.decode()} of person {ref.hex()} in keys.db does not open: it was changed"
        raise KeyDamaged(f"{what}; restore keys.db from a backup, and run `hookwarden audit verify`") from fault
