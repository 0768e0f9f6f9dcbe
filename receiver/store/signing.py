"""The key that checkpoints are signed with: Ed25519 as PKCS#8 PEM in `signing.key`, made at the first start."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from receiver.files import put_once
from receiver.store.codes import misfit


def read_or_make(path: Path, *, signed_before: bool) -> Ed25519PrivateKey:
    """The key in `path`, made there unless it must be there already: who made a new one would sign a second branch of
    the log. Raises ConfigurationError.
    """
    if not path.exists():
        if signed_before:
            raise misfit(path, "S006", "is missing, and the record is signed with it; put it back")
        made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        put_once(path, made)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise misfit(path, "S006", "does not hold an Ed25519 key in PKCS#8 PEM")
    return key
