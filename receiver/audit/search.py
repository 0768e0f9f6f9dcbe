r"""The search language of the record: `tag:DUPLICATED_FACE outcome:decided -rule:ring created:2026-11-01..2026-11-30`.

A search is a list of terms with white space between them; an entry fits when it fits every term. A term is `key:value`,
or text in double quotes, which an entry fits that has it anywhere; with a leading `-` it is what does not fit. A value
with white space, or one that begins with a quote, stands in double quotes (`\"` and `\\` inside). Times and numbers
may be compared (`idx:>100`, `created:<2026-11-01`) or given as a span (`http:500..599`). `@name` stands for the terms
of a saved search, `-@name` for what does not fit it, where it has one term. One language for the command line, HTTP
and export.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

from receiver.errors import Unusable
from receiver.suggestion import suggestion

MAX_TERMS: Final = 64
VALUES: Final = (
    "session",
    "subject",
    "tag",
    "rule",
    "outcome",
    "status",
    "action",
    "actor",
    "kind",
    "policy",
    "source",
    "event",
)
KINDS: Final = (
    "event",
    "redelivery",
    "decision",
    "action",
    "review",
    "alert",
    "label",
    "loop",
    "operator",
    "policy",
    "access",
    "export",
    "service",
    "key",
    "hold",
    "release",
    "erasure",
    "prune",
)
"""What kinds of entries there are, all that are written."""
NUMBERS: Final = ("idx", "attempt", "http")
KEYS: Final = (*VALUES, "created", *NUMBERS)

_TERM = re.compile(
    r"\s*(?P<minus>-?)(?:(?P<key>[A-Za-z_]+):(?P<compared>[<>]=?)?)?"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?<=[:<>=])(?P<plain>[^\s"]\S*))(?=\s|$)'
)
_SAVED = re.compile(r"\s*(?P<minus>-?)@(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)(?=\s|$)")
_WORD = re.compile(r"\s*(\S+)")
_ESCAPE = re.compile(r"\\(.)")
_NUMBER = re.compile(r"[0-9]{1,18}\Z")


class SearchError(Unusable):
    """A search that cannot be read. The message says where, why, and what would do."""


@dataclass(frozen=True, slots=True)
class Is:
    """The entry has this value: `key` is one of VALUES."""

    key: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """The entry has a number from `low` to `high`, both included; None is open. `key` is one of NUMBERS."""

    key: str
    low: int | None
    high: int | None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """The entry has this text in a tag, rule, type, outcome, actor, source, kind, status or fact; A is a."""

    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The entry was written from `since` (included) until `until` (not included), in Unix ms; None is open."""

    since: int | None
    until: int | None
    negated: bool = False


Term: TypeAlias = Is | Between | Text | Created


@dataclass(frozen=True, slots=True)
class Search:
    """What an entry must fit: all terms."""

    terms: tuple[Term, ...] = ()


def parse(query: str, saved: Mapping[str, str] | None = None) -> Search:
    """Read a search; `saved` are the searches that `@name` stands for. Raises SearchError."""
    terms = tuple(itertools.islice(_terms(query, saved or {}), MAX_TERMS + 1))
    if len(terms) > MAX_TERMS:
        raise SearchError(f"a search may have {MAX_TERMS} terms")
    return Search(terms)


def expanded(query: str, saved: Mapping[str, str]) -> str:
    """The search with what its `@name`s stand for in their place. Raises SearchError."""
    parse(query, saved)
    pieces, at = [], 0
    while query[at:].strip():
        named = _SAVED.match(query, at)
        found = named or _TERM.match(query, at)
        assert found is not None  # as `parse` has read it
        pieces.append(_text_of(saved[named["name"]], bool(named["minus"])) if named else found[0].strip())
        at = found.end()
    return " ".join(pieces)


def _terms(query: str, saved: Mapping[str, str] | None) -> Iterator[Term]:
    at = 0
    while query[at:].strip():
        named = _SAVED.match(query, at)
        found = named or _TERM.match(query, at)
        if found is None:
            word = _WORD.match(query, at)
            raise SearchError(_not_a_term(word[1] if word else query[at:]))
        if named:
            yield from _named(named["name"], saved, negated=bool(named["minus"]))
        else:
            yield _term(found)
        at = found.end()


def _text_of(saved: str, negated: bool) -> str:
    """A saved search as it is put in place of its name; what is negated has one term."""
    text = saved.strip()
    return text if not negated else text[1:] if text.startswith("-") else f"-{text}"


def _named(name: str, saved: Mapping[str, str] | None, *, negated: bool) -> Iterator[Term]:
    if saved is None:
        raise SearchError(f"@{name}: a saved search cannot stand on another one")
    if name not in saved:
        raise SearchError(f"no search is saved as @{name}{suggestion(name, saved)} (config.yaml, `audit: queries:`)")
    terms = list(_terms(saved[name], None))
    if not negated:
        return iter(terms)
    if len(terms) != 1:
        what = f"`-` goes before one term, and @{name} has {len(terms)}: write out those that must not fit"
        raise SearchError(f"-@{name}: {what} ({saved[name].strip()})")
    return iter([replace(terms[0], negated=not terms[0].negated)])


def _not_a_term(word: str) -> str:
    key = word.lstrip("-").partition(":")[0]
    if ":" in word and key in KEYS:
        return f"{word!r}: what follows {key + ':'!r} is not a value; put text with spaces or quotes in double quotes"
    return f"{word!r} is not a term: write key:value, or text in double quotes; keys: {', '.join(KEYS)}"


def _term(found: re.Match[str]) -> Term:
    key, negated, compared = found["key"], bool(found["minus"]), found["compared"]
    value = found["plain"] if found["quoted"] is None else _ESCAPE.sub(r"\1", found["quoted"])
    if key is None:
        return _text(value, negated)
    if key not in KEYS:
        raise SearchError(_unknown(key))
    if key == "created":
        return Created(*_span(value, compared), negated)
    if key in NUMBERS:
        return Between(key, *_range(key, value, compared), negated)
    if key == "kind" and value not in KINDS:
        raise SearchError(f"no entry is of the kind {value!r}{_near(value, KINDS)}; kinds: {', '.join(KINDS)}")
    return Is(key, (compared or "") + value, negated)  # values are not ordered: the sign is part of this one


def _text(value: str, negated: bool) -> Text:
    if not value.strip():
        raise SearchError('"" is no text; leave it out')
    return Text(value, negated)


def _unknown(key: str) -> str:
    return f"unknown key {key!r}{_near(key, KEYS)}; keys: {', '.join(KEYS)}"


def _near(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _range(key: str, value: str, compared: str | None) -> tuple[int | None, int | None]:
    """`N`, `>N`, `>=N`, `<N`, `<=N`, `A..B`, `A..` or `..B` of whole numbers."""
    low, dots, high = value.partition("..")
    if not all(not part or _NUMBER.match(part) for part in (low, high)) or not (low or high) or (compared and dots):
        raise SearchError(f"{key}:{compared or ''}{value} is not a number; write {key}:5, {key}:>=5 or {key}:5..9")
    if compared:
        number, one = int(low), len(compared) == 1
        return (number + one, None) if compared[0] == ">" else (None, number - one)
    first, last = (int(low) if low else None), (int(high) if high else None)
    if first is not None and last is not None and last < first:
        raise SearchError(f"{key}:{value} ends before it begins")
    return first, last if dots else first


def _span(value: str, compared: str | None) -> tuple[int | None, int | None]:
    """`A..B`, `A..`, `..B` or `A`; a day stands for the whole of it, so that `..B` includes the day B."""
    since, dots, until = value.partition("..")
    if compared and not dots:
        start, end = _moment(since)
        return {">": (end, None), ">=": (start, None), "<": (None, start), "<=": (None, end)}[compared]
    if not dots:
        until = since
    if compared or not (since or until):
        raise SearchError(f"created:{compared or ''}{value} names no time; write created:2026-11-01..2026-11-30")
    first, last = (_moment(since)[0] if since else None), (_moment(until)[1] if until else None)
    if first is not None and last is not None and last <= first:
        raise SearchError(f"created:{value} ends before it begins")
    return first, last


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
