"""The file `verified.json` beside the record: how far it was verified, so that the next verification can go on there.

It is a convenience and no proof: who can write to the record can write to it as well. What a state is held against
for good are checkpoints that are kept elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from receiver.audit.evidence import Kept, Known
from receiver.audit.journal import placed


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found intact: entries up to a size with this root, and this much of checkpoints.log."""

    known: Known
    log_bytes: int
    log_sha256: str


def load(path: Path) -> Verified | None:
    """What an earlier verification left; None where there was none, or it cannot be read."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        known = Known(_number(said["size"]), base64.b64decode(said["root"], validate=True))
        return Verified(known, _number(said["log_bytes"]), str(said["log_sha256"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError("not a size")
    return value


def save(path: Path, verified: Verified) -> None:
    """Leave it for the next one. Raises OSError."""
    root = base64.b64encode(verified.known.root).decode()
    said = {"size": verified.known.size, "root": root, "log_bytes": verified.log_bytes}
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({**said, "log_sha256": verified.log_sha256}) + "\n", encoding="utf-8")
    draft.replace(path)


class Journal:
    """checkpoints.log as it is now: read once, from the start or from behind what was verified before. What a running
    server adds from now on is left to the next verification, as the record that it signs is.
    """

    def __init__(self, path: Path, before: Verified | None) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self.read_bytes = 0
        self.rewritten = False  # what was verified before is not its beginning any more
        self._end = path.stat().st_size if path.exists() else 0
        if before is not None:
            self._pass_over(before)

    def notes(self) -> Iterator[Kept]:
        """The notes behind that. A name says in which line each begins (of what is read here)."""
        for line, note in placed(self._lines()):
            where = f"line {line}" if not self._skipped else f"line {line} behind byte {self._skipped}"
            yield Kept(f"checkpoints.log, {where}", note)

    @property
    def sha256(self) -> str:
        """Of what was read, as hex."""
        return self._digest.hexdigest()

    _skipped = 0

    def _pass_over(self, before: Verified) -> None:
        try:
            with self._path.open("rb") as file:
                left = before.log_bytes
                while left and (block := file.read(min(left, 1 << 20))):
                    self._digest.update(block)
                    left -= len(block)
        except FileNotFoundError:
            left = before.log_bytes
        self.rewritten = bool(left) or self._digest.hexdigest() != before.log_sha256
        if self.rewritten:
            self._digest = hashlib.sha256()
        else:
            self._skipped = self.read_bytes = before.log_bytes

    def _lines(self) -> Iterator[str]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._skipped)
                while self.read_bytes < self._end and (line := file.readline(self._end - self.read_bytes)):
                    self._digest.update(line)
                    self.read_bytes += len(line)
                    yield line.decode("utf-8", "replace")
        except FileNotFoundError:
            return
