"""C2SP signed notes (https://c2sp.org/signed-note) and checkpoints (https://c2sp.org/tlog-checkpoint). Pure.

A note is text that ends with a line end, an empty line, and a signature line for each key: `— <name> <base64 of key id
and signature>`. A checkpoint is a note whose text is three lines: the log's origin, its size, its root in base64.
Signatures are Ed25519 (type 0x01). Every format is read strictly: what could be written in two ways is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519: Final = b"\x01"
_ID: Final = 4  # bytes of a key id
_KEY: Final = 32  # bytes of a public key
SIGNATURE_MARK: Final = "\u2014 "  # an em dash begins a signature line
_NAME: Final = re.compile(r"[^\s+\x00-\x1f\x7f\ud800-\udfff]+")
_MOST_SIGNATURES: Final = 100
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
LONGEST: Final = 1_000_000  # bytes of a note that is read


class NoteError(ValueError):
    """A note, key or checkpoint that cannot be read, or that no known key signed. The message says which."""


class NotSigned(NoteError):
    """A note that can be read, but has no signature of the key."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that notes can be checked with; as text: `<name>+<key id in hex>+<base64 of type and key>`."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """What signature lines name the key by."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_encoded(_ED25519 + self.key)}"

    @classmethod
    def read(cls, text: str) -> Verifier:
        """From its text. Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        identity, _, encoded = rest.partition("+")
        key = _decoded(encoded)
        if not _NAME.fullmatch(name) or len(key) != 1 + _KEY or key[:1] != _ED25519:
            raise NoteError("not a verifier key of the form <name>+<id>+<Ed25519 key>")
        verifier = cls(name, key[1:])
        if identity != verifier.id.hex():
            raise NoteError("the key id does not fit the key: is a character missing?")
        return verifier

    def accepts(self, text: bytes, signature: bytes) -> bool:
        """Is this the key's signature of the text?"""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs, under a name without blanks and plus signs."""

    name: str
    private: Ed25519PrivateKey

    def __post_init__(self) -> None:
        """Refuse a name that no note could carry."""
        if not _NAME.fullmatch(self.name):
            raise NoteError(f"{self.name!r} cannot name a key: no blanks, no plus signs")

    @property
    def verifier(self) -> Verifier:
        """What checks its signatures."""
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The note of a text that ends with a line end."""
        if not text.endswith("\n"):
            raise NoteError("the text of a note ends with a line end")
        signature = self.private.sign(text.encode())
        return f"{text}\n{SIGNATURE_MARK}{self.name} {_encoded(self.verifier.id + signature)}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log at one moment: so many entries, this root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text of its note."""
        return f"{self.origin}\n{self.size}\n{_encoded(self.root)}\n"

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """From the text of a note. Lines after the third are extensions, which we write none of. Raises NoteError."""
        origin, _, rest = text.partition("\n")
        size, _, rest = rest.partition("\n")
        root = _decoded(rest.partition("\n")[0])
        if not origin or not _NUMBER.fullmatch(size) or len(root) != hashlib.sha256().digest_size:
            raise NoteError("not a checkpoint: it has three lines, the origin, the size and the root")
        return cls(origin, int(size), root)


def open_note(note: str, verifier: Verifier) -> str:
    """The text of a note that the key signed. Signatures of other keys are passed over, a wrong one of this key is not.
    Raises NoteError.
    """
    if len(note) > LONGEST:
        raise NoteError("too long for a note")
    text, divider, signatures = note.rpartition("\n\n")
    text += "\n"
    if not divider or not signatures.endswith("\n"):
        raise NoteError("not a signed note: text, an empty line, signature lines")
    if any(character < " " and character != "\n" for character in note):
        raise NoteError("a note holds no control characters")
    try:
        signed_bytes = text.encode()
    except UnicodeEncodeError:
        raise NoteError("a note is text that UTF-8 can hold") from None
    signed = False
    for name, identity, signature in _signatures(signatures):
        if name == verifier.name and identity == verifier.id:
            if not verifier.accepts(signed_bytes, signature):
                raise NoteError(f"the signature of {verifier.name} does not fit the text: the note was changed")
            signed = True
    if not signed:
        raise NotSigned(f"not signed by {verifier.name} with key {verifier.id.hex()}")
    return text


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """The checkpoint of a signed note; its origin is the key's name. Raises NoteError."""
    checkpoint = Checkpoint.read(open_note(note, verifier))
    if checkpoint.origin != verifier.name:
        raise NoteError(f"the checkpoint of another log: {checkpoint.origin}, not {verifier.name}")
    return checkpoint


def _signatures(lines: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, key id and signature of each signature line."""
    found = lines.removesuffix("\n").split("\n")
    if len(found) > _MOST_SIGNATURES:
        raise NoteError(f"more than {_MOST_SIGNATURES} signatures")
    for line in found:
        name, _, encoded = line.removeprefix(SIGNATURE_MARK).partition(" ")
        signature = _decoded(encoded)
        if not line.startswith(SIGNATURE_MARK) or not _NAME.fullmatch(name) or len(signature) <= _ID:
            raise NoteError("a signature line that cannot be read")
        yield name, signature[:_ID], signature[_ID:]


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _decoded(text: str) -> bytes:
    """Strict base64: what would not come out the same when encoded again is nothing."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return value if _encoded(value) == text else b""
