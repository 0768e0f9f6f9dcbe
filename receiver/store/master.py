"""The master key: 32 random bytes as hex in `master.key`, made at the first start, or given by the operator."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from receiver.files import flush_folder
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
    """Write a new key. The file appears whole or not at all, and a second process keeps the first one's."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    flush_folder(path.parent)
