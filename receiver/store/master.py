"""The master key: 32 random bytes as hex in `master.key`, made at the first start, or given by the operator."""

from __future__ import annotations

import secrets
from pathlib import Path

from receiver.files import put_once
from receiver.store.vault import KEY_BYTES, misfit


def read_or_make(path: Path, keys: Path) -> bytes:
    """The master key in `path`, made there unless it or `keys` (what it wraps) exists. Raises ConfigurationError."""
    if not path.exists():
        if keys.exists():
            raise misfit(path, "S001", f"is missing, and {keys.name} does not open without it; put it back")
        make(path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii", errors="replace"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise misfit(path, "S001", f"does not hold {2 * KEY_BYTES} hex digits")
    return key


def check(master_key: bytes, keys: Path) -> bytes:
    """A master key that was given. Raises ConfigurationError."""
    if len(master_key) != KEY_BYTES:
        raise misfit(keys, "S001", f"takes a master key of {KEY_BYTES} bytes, not {len(master_key)}")
    return master_key


def make(path: Path) -> None:
    """Write a new key, unless another process is first."""
    put_once(path, (secrets.token_hex(KEY_BYTES) + "\n").encode("ascii"))
