"""Files that people write, read as text or YAML: what cannot be read is a finding with the file's name.

Only regular files are read, and opening never waits: a FIFO in the place of one would hold its reader for ever. A pipe
is read where a person named it on the command line, as `/dev/stdin`.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from receiver.errors import ConfigurationError, Problem
from receiver.yamltext import MAX_SIZE, Document, read_yaml

_MAX_BYTES: Final = 4 * MAX_SIZE + 3  # of a text of MAX_SIZE characters with a mark before it


def read_text(path: Path, cure: str = "", *, pipes: bool = False) -> str:
    """A text file, or a ConfigurationError that says why not, and `cure` where it cannot be opened. With `pipes`,
    whatever can be read is read, and waited for.
    """
    try:
        content = read_bytes(path, pipes=pipes)
        if len(content) <= _MAX_BYTES:
            # Windows editors put a mark (BOM) before the text
            text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").read()
            if len(text) <= MAX_SIZE:
                return text
        said = f"the file is too long: over {MAX_SIZE:,} characters"
    except OSError as error:
        said = f"the file cannot be read: {error.strerror or type(error).__name__}{cure}"
    except UnicodeDecodeError as error:
        wide = error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        said = (
            "the file is UTF-16 text: save it as UTF-8" if wide else f"the file is not UTF-8 text (byte {error.start})"
        )
    raise ConfigurationError([Problem(shown(path), 1, 1, "error", "C001", said)])


def read_bytes(path: Path, *, pipes: bool = False) -> bytes:
    """A file as it is, or its beginning, where it is longer than any text that is used. Raises OSError, also for what
    is no regular file, unless `pipes`.
    """
    wait = 0 if pipes else os.O_NONBLOCK
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | wait)
    with open(descriptor, "rb") as file:  # noqa: PTH123  # pathlib opens no descriptors
        if not pipes and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "it is no regular file; write one in its place")
        return file.read(_MAX_BYTES + 1)


class Texts:
    """Files read ahead, so that nobody waits for a disk while holding what others wait for.

    To be called like `read_text`, in whose place it stands; what could not be read ahead is read, or refused, then.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._texts: dict[Path, str] = {}
        for path in paths:
            try:
                self._texts[path] = read_text(path)
            except ConfigurationError:
                continue

    def __call__(self, path: Path, cure: str = "") -> str:
        """The text of a file. Raises ConfigurationError."""
        return self._texts[path] if path in self._texts else read_text(path, cure)


def shown(path: Path) -> str:
    """Paths in findings are relative to where the command runs."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def load_policy_file(path: Path, *, pipes: bool = True) -> Document:
    """Read one policy file that a person named, which may be a pipe."""
    return read_yaml(read_text(path, pipes=pipes), shown(path))
