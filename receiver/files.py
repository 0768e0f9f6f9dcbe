"""Files that people and programs change beside us: told apart by what the file system says of them, replaced whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

Print: TypeAlias = "tuple[int, ...] | None"
"""What changes when a file does; None: it cannot be seen."""

_ASK_EVERY: Final = 0.05  # seconds between two tries to take a lock
_TOKEN_BYTES: Final = 6  # of the name that a file has until it is put in place


def fingerprint(paths: Sequence[Path]) -> tuple[Print, ...]:
    """One print a file. Links are followed, so that it also changes when one of them points elsewhere, as a mounted
    ConfigMap does it.
    """
    return tuple(_print(path) for path in paths)


def _print(path: Path) -> Print:
    try:
        found = path.stat()
    except OSError:
        return None
    # the change time too: copying may set the time of the last write back, but nothing sets this one
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Replacement:
    """New content of a file, on disk beside it. `swap` puts it in place; readers see the old or the new file, whole."""

    def __init__(self, target: Path, staged: Path) -> None:
        self._target = target
        self._staged = staged
        self.swapped = False

    def swap(self) -> None:
        """Put it in place. Raises OSError."""
        self._staged.replace(self._target)
        self.swapped = True


def sweep(path: Path) -> None:
    """Remove what a program that died in `replacing` left beside a file. Nobody may be replacing the file now.

    A folder that cannot be read or written is left as it is.
    """
    target = path.resolve()
    with contextlib.suppress(OSError):
        for other in target.parent.iterdir():
            if _is_staged(other.name, target.name):
                other.unlink(missing_ok=True)


def _staged(name: str) -> str:
    return f".{name}.{secrets.token_hex(_TOKEN_BYTES)}.tmp"


def _is_staged(name: str, target: str) -> bool:
    return re.fullmatch(rf"\.{re.escape(target)}\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}\.tmp", name) is not None


@contextlib.contextmanager
def replacing(path: Path, content: bytes) -> Iterator[Replacement]:
    """Prepare new content for a file that is there; its mode stays, and of a link the target is written.

    What was swapped is on disk for good when the block ends; what was not leaves no trace. Raises OSError.
    """
    target = path.resolve(strict=True)
    staged = target.with_name(_staged(target.name))
    try:
        _write(staged, content, target.stat())
        replacement = Replacement(target, staged)
        yield replacement
        if replacement.swapped:
            flush_folder(target.parent)
    finally:
        staged.unlink(missing_ok=True)


def _write(path: Path, content: bytes, like: os.stat_result) -> None:
    """A new file, flushed, with the owner (where we may give it away) and the mode of another."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  # pathlib opens no descriptors
        file.write(content)
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        file.flush()
        os.fsync(descriptor)


def put_once(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read. It appears whole or not at all, and a second process keeps the first
    one's. Raises OSError.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  # pathlib opens no descriptors
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Have on disk which files the folder holds. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(file: Path, seconds: float) -> Iterator[None]:
    """Wait, at most so long, until no other process is in a block of this file, which is made where it is not there.

    A process that dies lets go. The file is ours alone: whoever may open a file can keep us waiting. Raises OSError,
    as TimeoutError if another one does not let go.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, time.monotonic() + seconds)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds it") from None
            time.sleep(_ASK_EVERY)
