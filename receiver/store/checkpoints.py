"""The file checkpoints.log beside the record: where the process appends every checkpoint that it signs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from receiver.audit.journal import END, notes
from receiver.audit.note import Checkpoint, NoteError, Verifier, open_checkpoint

_TAIL: Final = 16_384  # bytes: the newest notes are among the last


class CheckpointLog:
    """The file; it need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, note: str) -> None:
        """Add a note, on disk when this returns. Raises OSError."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            torn = b"" if self._is_whole(descriptor) else b"\n\n"  # its writer died in the middle of a note
            os.write(descriptor, torn + (note + END).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def has(self, note: str) -> bool:
        """Whether a note is among the last ones. Raises OSError."""
        return note in notes(self._tail())

    def newest(self, verifier: Verifier) -> Checkpoint | None:
        """The largest checkpoint among the last ones that this key signed. Raises OSError."""
        found: list[Checkpoint] = []
        for note in notes(self._tail()):
            try:
                found.append(open_checkpoint(note, verifier))
            except NoteError:
                continue
        return max(found, key=lambda checkpoint: checkpoint.size, default=None)

    def _tail(self) -> str:
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    @staticmethod
    def _is_whole(descriptor: int) -> bool:
        size = os.fstat(descriptor).st_size
        return size == 0 or os.pread(descriptor, 2, size - 2) == b"\n\n"
