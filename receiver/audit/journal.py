"""checkpoints.log: every signed note that was issued, one after the other with an empty line after each. Pure.

It is only ever appended to, by several processes at once and through crashes: so what was cut short in it is passed
over, and the notes need not stand in the order of their sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from receiver.audit.note import SIGNATURE_MARK

END: Final = "\n"  # after a note, which ends with a line end itself


def notes(text: str) -> Iterator[str]:
    """The notes in a journal, or in the last part of one."""
    before = ""
    for piece in (part.strip("\n") for part in text.split("\n\n")):
        if piece.startswith(SIGNATURE_MARK) and before:
            yield f"{before}\n\n{piece}\n"
            before = ""
        else:
            before = piece


def placed(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The notes of a journal that is read line by line, each with the number of its first line. A text without a
    signature after it is given too, as it stands: whoever opens it finds out. Not so at the end, where a note may just
    be being written.
    """
    before, start = "", 0
    for number, piece in _pieces(lines):
        if piece.startswith(SIGNATURE_MARK) and before:
            yield start, f"{before}\n{piece}"
            before = ""
        else:
            if before:
                yield start, before
            before, start = piece, number


def _pieces(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """What stands between empty lines, and the number of its first line."""
    piece, start = "", 1
    for number, line in enumerate(lines, 1):
        if line.strip("\n"):
            start = start if piece else number
            piece += line
        elif piece:
            yield start, piece
            piece = ""
    if piece:
        yield start, piece
