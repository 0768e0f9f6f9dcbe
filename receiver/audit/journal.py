"""checkpoints.log: every signed note that was issued, one after the other with an empty line after each. Pure.

It is only ever appended to, by several processes at once and through crashes: so what was cut short in it is passed
over, and the notes need not stand in the order of their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
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
