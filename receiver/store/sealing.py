"""Sealing with AES-256-GCM: `nonce || ciphertext`, bound to its place by the additional data."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from os import urandom
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12

# The places of wrapped keys; behind those of a subject follows its ref.
PERSONAL: Final = b"subject key"
BIOMETRIC: Final = b"biometric key"
INDEX: Final = b"index secret"
KEK: Final = b"key-encryption key"


class Nonces:
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

    def __init__(self, key: bytes, nonces: Nonces) -> None:
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
        self, ref: bytes, key: bytes, nonces: Nonces, open_biometric: Callable[[], Sealer] | None = None
    ) -> None:
        super().__init__(key, nonces)
        self.ref = ref
        self._salting = _salting(key)
        self._open = open_biometric  # when it is first used: most reads never do
        self._biometric: Sealer | None = None

    @property
    def biometric(self) -> Sealer | None:
        """The key for biometric data; None where it was destroyed, or never made."""
        if self._open is not None:
            self._biometric, self._open = self._open(), None
        return self._biometric

    @biometric.setter
    def biometric(self, made: Sealer | None) -> None:
        self._biometric, self._open = made, None

    def session_salt(self, session_id: str) -> bytes:
        """16 bytes that nobody can guess without the key: gone when the key is gone."""
        return _salt(self._salting, session_id)


def session_salt(key: bytes, session_id: str) -> bytes:
    """`SubjectKey.session_salt`, for who wants nothing else of the key."""
    return _salt(_salting(key), session_id)


def _salting(key: bytes) -> bytes:
    return blake2b(b"session salt", key=key).digest()


def _salt(salting: bytes, session_id: str) -> bytes:
    return blake2b(session_id.encode("utf-8", "surrogatepass"), key=salting, digest_size=16).digest()


def wrap(wrapping: AESGCM, nonce: bytes, key: bytes, place: bytes) -> bytes:
    """Encrypt a key under another, for one place. A nonce serves once."""
    return nonce + wrapping.encrypt(nonce, key, place)


def unwrap(wrapping: AESGCM, wrapped: bytes, place: bytes) -> bytes:
    """The key again. Raises InvalidTag: wrapped under another key or for another place, or changed."""
    return wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place)
