"""Terms of a search as conditions on an entry, called `e`. Values are always parameters.

A condition says what an entry must be, and which words (`words.py`) an entry that fits must have one of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from receiver.audit.search import Between, Created, Is, Term, Text
from receiver.store.sqlite.narrowing import NEVER
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.words import POSTINGS, Look, Word, is_identifier

Value: TypeAlias = str | int | bytes
Subject: TypeAlias = Callable[[str], bytes | None]
"""The reference of a person; None for one that nobody knows."""

_COLUMNS: Final = {  # key of a word: the column of the entry that repeats it
    "kind": "e.kind",
    "actor": "e.actor",
    "type": "e.type",
    "outcome": "e.outcome",
    "policy": "e.policy_sha256",
    "source": "e.source",
}
_LEAF: Final = {"status": "status", "attempt": "attempt", "http": "http_status"}  # key of a word: member of the leaf
_TEXTS: Final = ("tag", "rule", "type", "outcome", "actor", "source", "kind", "status", "fact")
_GUARDS: Final = 3  # patterns that a leaf is held to before it is read as JSON
_ACTION_ID = re.compile(r"act_(.+)_[0-9]+\Z")
_PLAIN = re.compile(r"[A-Za-z0-9 _.-]{0,100}")

OUTCOME: Final = "e.outcome = ?"
STATUS_GUARD: Final = '*status":"*'  # what every leaf with a status fits
_GUARDED = "CAST(e.leaf AS TEXT) GLOB ?"
_LIKE = r"LIKE ? ESCAPE '\'"
_POLICY = (
    "(value BETWEEN ? AND ? || 'g' OR value IN (SELECT sha256 FROM policy WHERE name = ?))"  # first digits, or name
)
_OF_ACTION = (
    "e.idx IN (SELECT idx FROM entry WHERE event_id = ? AND action_id = ?"
    " UNION ALL SELECT idx FROM entry WHERE event_id IS NULL AND action_id = ?)"
)
_OF_SUBJECT = "e.event_id IN (SELECT event_id FROM event WHERE subject_ref = ?)"


@dataclass(frozen=True, slots=True)
class Condition:
    """A term as a condition on `e`. `words` are those of which an entry that fits has one; None: cannot be said."""

    sql: str
    values: tuple[Value, ...] = ()
    words: tuple[Word, ...] | None = None
    few: bool = False  # an index of its own finds the few entries that fit


def condition(term: Term, look: Look | None, subject: Subject) -> Condition:
    """A term as it stands, not negated. Without `look`, from the entry alone."""
    if isinstance(term, Created):
        since, until = term.since, term.until
        return Condition("e.at >= ? AND e.at < ?", (since if since is not None else -NEVER, until or NEVER))
    if isinstance(term, Text):
        return _text(term.value, look)
    if isinstance(term, Between):
        return _number(term, look) if term.key in _LEAF else Condition("e.idx BETWEEN ? AND ?", number_range(term))
    value = storable(term.value)
    if term.key in POSTINGS:
        return has(term)
    if term.key == "event":
        return Condition("e.event_id = ?", (value,), few=True)
    if term.key == "subject":
        return Condition(_OF_SUBJECT, (subject(term.value) or b"",), few=True)
    if term.key == "action":
        return _action(value)
    if term.key == "policy":
        return _policy(value, look)
    if term.key == "status":
        guard = f'*status":"{(_PLAIN.match(value) or [""])[0]}*'
        return Condition(f"{_member('status')} = ?", (guard, value), ((term.key, value),))
    return Condition(f"{_COLUMNS[term.key]} = ?", (value,), ((term.key, value),))


def has(term: Is) -> Condition:
    """The entry is among the postings of a session, tag, rule or fact."""
    table, column = POSTINGS[term.key]
    sql = f"EXISTS (SELECT 1 FROM {table} AS x WHERE x.{column} = ? AND x.idx = e.idx)"  # noqa: S608  # constants
    return Condition(sql, (storable(term.value),))


def complements(terms: Iterable[Term], look: Look) -> list[Condition]:
    """What `-kind:` and `-actor:` leave: every entry has one, so it has one of the others."""
    found = []
    for key in ("kind", "actor"):
        barred = [storable(term.value) for term in terms if isinstance(term, Is) and term.key == key and term.negated]
        if barred:
            rows = look("SELECT value FROM word WHERE key = ?", key)
            found.append(Condition("", words=tuple((key, row[0]) for row in rows if row[0] not in barred)))
    return found


def texts_with(text: str, look: Look) -> list[Word]:
    """The words that have a text in them; an identifier, which is no word, is a fact as a whole."""
    keys = ", ".join(f"'{key}'" for key in _TEXTS)
    rows = look(f"SELECT key, value FROM word WHERE key IN ({keys}) AND value {_LIKE}", _like(text))  # noqa: S608
    return [*((row[0], row[1]) for row in rows), *([("fact", storable(text))] if is_identifier(text) else [])]


def number_range(term: Between) -> tuple[int, int]:
    """The first and the last number that fits."""
    return term.low or 0, NEVER if term.high is None else term.high


def _action(value: str) -> Condition:
    """By its identifier, which holds that of its event; or by its name."""
    found = _ACTION_ID.match(value)
    if found:
        return Condition(_OF_ACTION, (f"evt_{found[1]}", value, value), few=True)
    return Condition("e.action_id IS NOT NULL AND e.type = ?", (value,), (("type", value),))


def _policy(value: str, look: Look | None) -> Condition:
    if look is None:
        return Condition(_POLICY.replace("value", "e.policy_sha256"), (value,) * 3)
    known = look(f"SELECT value FROM word WHERE key = 'policy' AND {_POLICY}", value, value, value)  # noqa: S608
    return _among("policy", [row[0] for row in known])


def _number(term: Between, look: Look | None) -> Condition:
    low, high = number_range(term)
    member, guard = _member(_LEAF[term.key]), f'*{_LEAF[term.key]}":'
    if look is None:
        return Condition(f"{member} BETWEEN ? AND ?", (f"{guard}*", low, high))
    known = look("SELECT value FROM word WHERE key = ? AND CAST(value AS INT) BETWEEN ? AND ?", term.key, low, high)
    guards = [f"{guard}{row[0]}*" for row in known] if len(known) <= _GUARDS else [f"{guard}*"]
    some = " OR ".join([_GUARDED] * len(guards)) or "0"
    exact = member.removeprefix(f"{_GUARDED} AND ")
    words = tuple((term.key, row[0]) for row in known)
    return Condition(f"e.action_id IS NOT NULL AND ({some}) AND {exact} BETWEEN ? AND ?", (*guards, low, high), words)


def _member(name: str) -> str:
    """A member of the leaf; the first parameter is a pattern that every leaf fits that has it. SQLite's GLOB takes a
    fraction of the time that `instr` takes, and that reading the leaf as JSON would.
    """
    return f"{_GUARDED} AND json_extract(CAST(e.leaf AS TEXT), '$.{name}')"


def _like(text: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", storable(text)) + "%"


def _text(text: str, look: Look | None) -> Condition:
    if look is None:
        return _plain_text(_like(text))
    words, found = texts_with(text, look), dict[str, list[str]]()
    for key, value in words:
        found.setdefault(key, []).append(value)
    parts = [_among(key, values) for key, values in found.items()]
    either = " OR ".join(part.sql for part in parts)
    return Condition(f"({either or '0'})", tuple(value for part in parts for value in part.values), tuple(words))


def _plain_text(like: str) -> Condition:
    columns = [f"{_COLUMNS[key]} {_LIKE}" for key in ("type", "outcome", "actor", "source", "kind")]
    members = (
        "EXISTS (SELECT 1 FROM json_tree(CAST(e.leaf AS TEXT)) AS f WHERE f.path IN ('$.tags', '$.rules', '$.facts')"
    )
    tree = f"{members} AND f.value {_LIKE})"
    return Condition(f"({' OR '.join([*columns, f'e.rule {_LIKE}', tree])})", (like,) * 7)


def _among(key: str, values: list[str]) -> Condition:
    """The entry has one of these words."""
    listed, words = json.dumps(values), tuple((key, value) for value in values)
    some = "IN (SELECT value FROM json_each(?))"
    if key in POSTINGS:
        table, column = POSTINGS[key]
        one = f"EXISTS (SELECT 1 FROM {table} AS x WHERE x.{column} {some} AND x.idx = e.idx)"  # noqa: S608  # constants
        return Condition(one, (listed,), words)
    if key == "status":
        return Condition(f"{_member('status')} {some}", (STATUS_GUARD, listed), words)
    return Condition(f"{_COLUMNS[key]} {some}", (listed,), words)
