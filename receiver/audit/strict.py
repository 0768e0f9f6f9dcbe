"""Reading files that are to prove something: strictly, so that one file says one thing to every reader.

Lines end in a line feed alone, and none is endless. JSON objects name no member twice, and have the members that there
are, no more and no fewer; numbers are whole and written in one way, as is base64. Whatever is otherwise raises
NotReadable.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")  # every number in one way only
LONGEST: Final = 1_000_000  # characters of a line that is read, and of all lines of a proof


class NotReadable(ValueError):
    """The file is none of those that can be checked, or the key is missing."""


def checked_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines, none of them endless; what ends them is a line feed alone."""
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST:
            raise NotReadable(f"line {number} is longer than {LONGEST:,} characters: Hookwarden writes none so long")
        if "\r" in line:
            raise NotReadable(f"line {number} has a carriage return: Hookwarden writes none; was the file converted?")
        yield line


def joined(lines: Iterator[str]) -> str:
    """All lines as one text, which is not endless either."""
    text: list[str] = []
    length = 0
    for line in lines:
        length += len(line)
        if length > LONGEST:
            raise NotReadable(f"a proof of more than {LONGEST:,} characters: Hookwarden writes none so long")
        text.append(line)
    return "".join(text)


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, read strictly: no member twice, whole numbers that are written in one way, nothing else."""
    try:
        document = json.loads(
            text,
            object_pairs_hook=_once,
            parse_int=_whole_number,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except NotReadable:
        raise
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NotReadable("not a JSON object where one should be")
    return document


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(members)
    if len(document) != len(members):
        raise NotReadable("a JSON object names a member twice")
    return document


def _whole_number(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise NotReadable(f"{text[:20]} is not a number of entries")
    return int(text)


def _no_number(text: str) -> Any:
    raise NotReadable(f"{text[:20]} is not a whole number")


def has_members(document: Any, members: frozenset[str], what: str) -> None:
    """Make sure that it is an object with these members: what nothing signed must not pass for proved."""
    if not isinstance(document, dict):
        raise NotReadable(f"{what} is not a JSON object")
    if document.keys() != members:
        odd = ascii(min(document.keys() ^ members))[:40]
        raise NotReadable(f"{what} lacks a member, or has one more than it should: {odd}")


def number(value: Any) -> int:
    """The value, if it is a number of entries, or the place of one."""
    if type(value) is not int:
        raise NotReadable(f"{ascii(value)[:40]} is not a number of entries")
    return value


def text_of(value: Any) -> str:
    """The value, if it is text."""
    if not isinstance(value, str):
        raise NotReadable(f"{ascii(value)[:40]} is not text")
    return value


def hashes(values: Any) -> list[bytes]:
    """The hashes of a proof."""
    if not isinstance(values, list):
        raise NotReadable("`proof` is not a list of hashes")
    return [decoded(value) for value in values]


def decoded(text: Any) -> bytes:
    """Strict base64: only what comes out the same when encoded again."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise NotReadable("not base64 where it should be") from None
    if base64.b64encode(value).decode("ascii") != text:
        raise NotReadable("base64 that would be written otherwise")
    return value
