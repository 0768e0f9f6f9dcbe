"""What the YAML reader could not read, in the words of people who do not know YAML: what stands there, and the cure.

libyaml says what its grammar expected; the cure follows from that and from the characters at the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

LINE_ENDS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML 1.1, and so libyaml, counts as the end of a line

# what libyaml says -> the cure, where the characters at the place tell nothing more
_CURES: Mapping[str, str] = {
    "found undefined alias": "`*` begins the name of an anchor, and no anchor of this name comes before: put the value"
    " in quotes if text is meant",
    "found duplicate anchor": "an anchor of this name comes before: give this one another name",
    "found a tab character that violates indentation": "a tab stands in the indentation: use spaces",
    "block sequence entries are not allowed": "a list begins on the line of its key: put each '- ' on a line of"
    " its own",
    "did not find expected '-' indicator": "this line is indented as an item of the list above it, and does not begin"
    " with '- '",
    "could not find expected ':'": "this is neither a key with its ': ' nor an item with its '- ': is the ':' missing,"
    " or the blank after it?",
    "found unknown escape character": "`\\` has a meaning in double quotes: use single quotes, or write `\\\\`",
    "but found another document": "a file holds one document: remove the `---`, or what stands before it",
    "did not find expected comment or line break": "nothing may follow `|` or `>` on their line: put the text on the"
    " next lines, or the whole value in quotes",
    "found unknown directive": "a line cannot begin with `%`: put the text in quotes",
    "did not find expected alphabetic or numeric character": "a value cannot begin with `&` or `*`: put it in quotes",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text is not YAML. Line and column count from 1, in characters."""

    line: int
    column: int
    message: str


def fault_of(text: str, error: yaml.YAMLError) -> Fault:
    """The fault that the parser met, at the place where it can be cured."""
    if isinstance(error, yaml.reader.ReaderError):
        return _of_character(text, error)
    lines = LINE_ENDS.split(text)
    problem, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    said = str(getattr(error, "problem", None) or error)
    line, column = _place(problem or context)
    opened = _place(context) if context else None
    if opened and said.startswith("found unexpected end of stream"):
        return Fault(*opened, "the quote that opens here is never closed")
    if opened and said.startswith("did not find expected ',' or"):
        return _unclosed(lines, (line, column), opened)
    if said.startswith(("did not find expected node content", "found character that cannot start")):
        return Fault(line, column, _odd_start(lines, line, column))
    if said.startswith("did not find expected key"):
        return _unexpected(lines, line, column)
    if said.startswith("mapping values are not allowed"):
        return Fault(line, column, _colon(lines[line - 1][: column - 1]))
    if opened and said.startswith(("could not find expected ':'", "found unknown directive")):
        line, column = opened
    cure = next((cure for words, cure in _CURES.items() if said.startswith(words)), f"not valid YAML: {said}")
    return Fault(line, column, cure)


def _place(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _of_character(text: str, error: yaml.reader.ReaderError) -> Fault:
    """The parser counts the bytes up to a character that YAML does not take."""
    before = text.encode("utf-8", "surrogatepass")[: error.position].decode("utf-8", "ignore")
    lines = LINE_ENDS.split(before)
    code = error.character if isinstance(error.character, int) else ord(error.character)
    said = f"the character U+{code:04X} must not stand in YAML: remove it, or write it as an escape in double quotes"
    return Fault(len(lines), len(lines[-1]) + 1, said)


def _unclosed(lines: Sequence[str], at: tuple[int, int], opened: tuple[int, int]) -> Fault:
    bracket = lines[opened[0] - 1][opened[1] - 1 : opened[1]]
    closing = "]" if bracket == "[" else "}"
    quote = _open_quote(lines, *at)
    if quote:
        return quote
    if at[0] > opened[0]:  # the next line no longer fits: the mistake is where nobody closed
        return Fault(
            *opened, f"the `{bracket}` that opens here is not closed: add `{closing}`, or the comma that is missing"
        )
    return Fault(*at, f"a comma or the closing `{closing}` is missing before this")


def _open_quote(lines: Sequence[str], line: int, column: int) -> Fault | None:
    """A double quote that nobody closed pairs with the first one of a later line, behind which the parser stumbles."""
    if line > len(lines) or _quotes(lines[line - 1][: column - 1]) % 2 == 0:
        return None
    odd = [number for number in range(1, line) if _quotes(lines[number - 1]) % 2]
    return Fault(odd[-1], lines[odd[-1] - 1].rfind('"') + 1, "this quote is not closed on its line") if odd else None


def _quotes(line: str) -> int:
    return len(re.findall(r'(?<!\\)"', line))


def _odd_start(lines: Sequence[str], line: int, column: int) -> str:
    character = lines[line - 1][column - 1 : column] if line <= len(lines) else ""
    if character == "\t":
        return "a tab stands here: YAML is indented with spaces only"
    if not character:
        return "the file ends where a value should stand: is a bracket not closed?"
    return f"a value cannot begin with {character!r}: put it in quotes"


def _unexpected(lines: Sequence[str], line: int, column: int) -> Fault:
    """Something stands where only a key may. Either the line is indented wrongly, or its value has an end too early."""
    here = lines[line - 1] if line <= len(lines) else ""
    before = here[: column - 1]
    template = re.search(r"(?:^|[:\-,\[{]\s+)(\{\{)", before)
    if template:
        return Fault(line, template.start(1) + 1, TEMPLATE_IN_THE_OPEN)
    quote = _open_quote(lines, line, column)
    if quote:
        return quote
    if not before.strip():
        return Fault(
            line, column, "this line is indented like none of the lines above it: put it under the key it belongs to"
        )
    if here[column - 1 : column] in ("]", "}"):
        return Fault(line, column, f"this `{here[column - 1]}` closes nothing")
    return Fault(line, column, _too_early(before))


def _colon(before: str) -> str:
    """A ': ' where none may be; `before` is its line up to it."""
    if re.search(r":\s|[\"']|^\s*- ", before):
        return "a ': ' stands inside this value: put the whole value in quotes"
    return "the key above has a value already: indent this line as that key, or put a value that goes on here in quotes"


def _too_early(before: str) -> str:
    if before.rstrip().endswith("'"):
        return (
            'the text in quotes ends before this: double a `\'` that belongs to the text, or put "..." around the whole'
        )
    if before.rstrip().endswith('"'):
        return "the text in quotes ends before this: put '...' around the whole value"
    return "the value ends before this: put the whole of it in quotes"


TEMPLATE_IN_THE_OPEN = 'a value that begins with `{{` must stand in quotes: "{{ ... }}"'
