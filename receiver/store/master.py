"""The master key: 32 random bytes as hex in `master.key`, made at the first start, or given by the operator.

Rotation writes the new key to `master.key.new`, rewraps keys.db in one transaction, and then renames: at every instant
one of the two files opens keys.db, and both are tried.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from receiver.files import alone, flush_folder, put_once
from receiver.store.codes import misfit
from receiver.store.sealing import KEY_BYTES

_PATIENCE: Final = 60.0  # seconds that another process may take to rewrap all keys


class MasterFile:
    """`master.key` in the data folder, and `master.key.new` while it is being replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.new = path.with_name(path.name + ".new")

    def keys(self) -> list[bytes]:
        """The keys that may fit: what the two files hold, as far as they are there. Raises ConfigurationError."""
        found: list[bytes] = []
        for path in (self.new, self.path):  # the new one first: when it is gone, it has become the old one
            with suppress(FileNotFoundError):
                found.append(read(path))
        if not found:
            raise misfit(self.path, "S001", "is missing, and keys.db does not open without it; put it back")
        return found[::-1]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process replaces the key. Raises OSError."""
        with alone(self.path.with_name(self.path.name + ".lock"), _PATIENCE):
            yield

    def stage(self, key: bytes, fits: Callable[[bytes], bool]) -> None:
        """Have a new key on disk, beside the old one: inside `alone`. What another rotation left there is first put in
        place if it is the key that `fits`: no other copy of it may exist. Raises OSError, ConfigurationError.
        """
        if not self._complete(fits):
            self.new.unlink(missing_ok=True)
        put_once(self.new, _text(key))

    def swap(self) -> None:
        """The new key takes the place of the old one. Raises OSError."""
        self.new.replace(self.path)
        flush_folder(self.path.parent)

    def settle(self, fits: Callable[[bytes], bool]) -> bool:
        """End a rotation that a crash cut short, if the new key is the one that fits. True: it was."""
        if not self.new.exists():
            return False
        with self.alone():
            return self._complete(fits)

    def _complete(self, fits: Callable[[bytes], bool]) -> bool:
        with suppress(FileNotFoundError):  # another process was first
            if fits(read(self.new)):
                self.swap()
                return True
        return False


def read_or_make(path: Path, keys: Path) -> MasterFile:
    """The master key in `path`, made there unless it or `keys` (what it wraps) exists. Raises ConfigurationError."""
    file = MasterFile(path)
    if not path.exists() and not file.new.exists():
        if keys.exists():
            raise misfit(path, "S001", f"is missing, and {keys.name} does not open without it; put it back")
        make(path)
    file.keys()
    return file


def read(path: Path) -> bytes:
    """The key in a file of hex digits. Raises ConfigurationError."""
    key = parse(path.read_text(encoding="ascii", errors="replace"))
    if key is None:
        raise misfit(path, "S001", f"does not hold {2 * KEY_BYTES} hex digits")
    return key


def parse(text: str) -> bytes | None:
    """The key of a text of hex digits; None: it is none."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


def check(master_key: bytes, keys: Path) -> bytes:
    """A master key that was given. Raises ConfigurationError."""
    if len(master_key) != KEY_BYTES:
        raise misfit(keys, "S001", f"takes a master key of {KEY_BYTES} bytes, not {len(master_key)}")
    return master_key


def make(path: Path) -> None:
    """Write a new key, unless another process is first."""
    put_once(path, _text(secrets.token_bytes(KEY_BYTES)))


def _text(key: bytes) -> bytes:
    return (key.hex() + "\n").encode("ascii")
