"""The line of a file that a finding is about, with a caret under the place, ready for a terminal."""

from __future__ import annotations

from rich.cells import cell_len

MAX_CELLS = 100  # longer lines are cut around the caret, where there is no terminal to fit
MARGIN = 8  # cells of the line number and the bar
_TAB = 4
_CUT = "…"


def excerpt(line: str, number: int, column: int, widest: int = MAX_CELLS) -> tuple[str, str]:
    """Two lines of text: the numbered source line, and the caret. `number` and `column` (in characters) count from 1;
    of the line at most `widest` cells are shown.

    Nothing of the line reaches the terminal as a command: characters that are not printable are replaced by U+FFFD,
    tabs by blanks. The caret stands right also after wide and combining characters.
    """
    shown = [_shown(character) for character in line.rstrip()]
    before, after = shown[: column - 1], shown[column - 1 :]
    text, caret = _cut("".join(before), "".join(after), max(widest, 20))
    return f"{number:>5} | {text}", f"{'':>5} | {' ' * caret}^"


def printable(text: str) -> str:
    """The text on one line, with what is not printable written as an escape."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _shown(character: str) -> str:
    if character == "\t":
        return " " * _TAB
    return character if character.isprintable() else "\ufffd"


def _cut(before: str, after: str, widest: int) -> tuple[str, int]:
    """The text, at most so many cells wide, and the cells before the caret."""
    if cell_len(before + after) <= widest:
        return before + after, cell_len(before)
    kept = widest * 3 // 5  # more before the caret than after it
    if cell_len(before) > kept:
        before = _CUT + _last(before, kept)
    room = widest - cell_len(before)
    if cell_len(after) > room:
        after = _first(after, room - 1) + _CUT
    return before + after, cell_len(before)


def _first(text: str, cells: int) -> str:
    text = text[: cells * 2]  # a combining character has no width: some more than `cells` of them may fit
    while cell_len(text) > cells:
        text = text[:-1]
    return text


def _last(text: str, cells: int) -> str:
    text = text[-cells * 2 :]
    while cell_len(text) > cells:
        text = text[1:]
    return text
