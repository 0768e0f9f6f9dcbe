"""A file and a commit that change together: neither holds what the other does not, as far as a disk can promise."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from receiver.errors import Conflict, HookwardenError, StoreUnavailable
from receiver.files import replacing
from receiver.textfiles import read_bytes

_PASSING: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

log = structlog.get_logger()


def replace_within(path: Path, content: bytes, commit: Callable[[Callable[[], None]], None]) -> None:
    """Replace what a policy file holds. `commit` is given what swaps the file: it calls that last before it commits, so
    that only a disk that fails in between can part the two, and raises if it did not commit.

    Raises Conflict or StoreUnavailable where the file cannot be written, and what `commit` raises; after these
    the file is put back as it was.
    """
    before, swapped, committed = b"", False, False
    try:
        before = read_bytes(path)
        with replacing(path, content) as replacement:
            try:
                commit(replacement.swap)
                committed = True
            except Exception:
                swapped = replacement.swapped
                raise
    except OSError as error:
        if not committed:
            raise _unwritable(path, error) from None
        log.warning("policy file may not outlive a power cut", file=str(path), why=error.strerror)
    except Exception:
        if swapped:
            _put_back(path, before)
        raise


def _put_back(path: Path, before: bytes) -> None:
    try:
        with replacing(path, before) as replacement:
            replacement.swap()
    except OSError as error:  # the next look at the files takes it into use, once the store can be written
        log.warning("policy file holds a version that is not in use yet", file=str(path), why=error.strerror)


def _unwritable(path: Path, error: OSError) -> HookwardenError:
    """Trouble that passes is ours; a place that cannot be written is a state of things."""
    said = f"{path.name} was not written: {error.strerror}; the running version serves on"
    if error.errno in _PASSING:
        return StoreUnavailable(said)
    return Conflict(f"{said}. Let this program write the folder, or change the file where it comes from")
