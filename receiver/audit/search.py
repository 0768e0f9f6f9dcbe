r"""The search language of the record: `tag:DUPLICATED_FACE outcome:decided -rule:ring created:2026-11-01..2026-11-30`.

A search is a list of terms with white space between them; an entry fits when it fits every term. A term is
`key:value`, and with a leading `-` what does not fit it. A value with white space, or one that begins with a quote,
stands in double quotes (`\"` and `\\` inside). One language for the command line, HTTP and export.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from receiver.errors import Unusable

MAX_TERMS = 64
KEYS = ("session", "tag", "rule", "outcome", "action", "actor", "kind", "policy", "source", "event", "created")

_TERM = re.compile(
    r'\s*(?P<minus>-?)(?P<key>[A-Za-z_]+):(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]\S*))(?=\s|$)'
)
_WORD = re.compile(r"\s*(\S+)")
_ESCAPE = re.compile(r"\\(.)")


class SearchError(Unusable):
    """A search that cannot be read. The message says where, why, and what would do."""


@dataclass(frozen=True, slots=True)
class Is:
    """The entry has this value: `key` is one of KEYS but `created`."""

    key: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The entry was written from `since` (included) until `until` (not included), in Unix ms; None is open."""

    since: int | None
    until: int | None
    negated: bool = False


Term: TypeAlias = Is | Created


@dataclass(frozen=True, slots=True)
class Search:
    """What an entry must fit: all terms."""

    terms: tuple[Term, ...] = ()


def parse(query: str) -> Search:
    """Read a search. Raises SearchError."""
    terms = tuple(itertools.islice(_terms(query), MAX_TERMS + 1))
    if len(terms) > MAX_TERMS:
        raise SearchError(f"a search may have {MAX_TERMS} terms")
    return Search(terms)


def _terms(query: str) -> Iterator[Term]:
    at = 0
    while query[at:].strip():
        found = _TERM.match(query, at)
        if found is None:
            word = _WORD.match(query, at)
            raise SearchError(_not_a_term(word[1] if word else query[at:]))
        yield _term(found)
        at = found.end()


def _not_a_term(word: str) -> str:
    key = word.lstrip("-").partition(":")[0]
    if ":" in word and key in KEYS:
        return f"{word!r}: what follows {key + ':'!r} is not a value; put text with spaces or quotes in double quotes"
    return f"{word!r} is not a term of the form key:value; keys: {', '.join(KEYS)}"


def _term(found: re.Match[str]) -> Term:
    key, negated = found["key"], bool(found["minus"])
    value = found["plain"] if found["quoted"] is None else _ESCAPE.sub(r"\1", found["quoted"])
    if key not in KEYS:
        raise SearchError(_unknown(key))
    if key == "created":
        return Created(*_span(value), negated)
    return Is(key, value, negated)


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key.lower(), KEYS, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown key {key!r}{hint}; keys: {', '.join(KEYS)}"


def _span(value: str) -> tuple[int | None, int | None]:
    """`A..B`, `A..`, `..B` or `A`; a day stands for the whole of it, so that `..B` includes the day B."""
    since, dots, until = value.partition("..")
    if not dots:
        until = since
    if not (since or until):
        raise SearchError(f"created:{value} names no time; write created:2026-11-01..2026-11-30")
    start, end = (_moment(since)[0] if since else None), (_moment(until)[1] if until else None)
    if start is not None and end is not None and end <= start:
        raise SearchError(f"created:{value} ends before it begins")
    return start, end


def _moment(text: str) -> tuple[int, int]:
    """The first millisecond of a day, second or millisecond, and the first one after it. UTC where no zone is named."""
    try:
        if "T" not in text:
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return _ms(day), _ms(day) + _ms_of(timedelta(days=1))
        moment = datetime.fromisoformat(text)
        start = _ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise SearchError(f"{text!r} is not a time; write 2026-11-20 or 2026-11-20T21:00:00Z") from None
    return start, start + (1 if "." in text else 1000)


def _ms(moment: datetime) -> int:
    return _ms_of(moment - datetime(1970, 1, 1, tzinfo=UTC))


def _ms_of(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
