"""What the columns and the look-up tables of an entry must say, by its leaf. Pure.

The leaf is what is hashed and signed; everything beside it repeats the leaf so that it can be searched. Whoever edits
one of those and not the leaf hides an entry, or shows another: so each is held against the leaf.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic_core import from_json

Row: TypeAlias = tuple[Any, ...]
"""An entry: its leaf, then the columns in the order of COLUMNS."""
Words: TypeAlias = dict[str, list[int]]
"""Which entries a word (a tag, a rule) stands in, ascending."""

COLUMNS: Final = (
    "idx",
    "at",
    "kind",
    "actor",
    "event_id",
    "action_id",
    "type",
    "rule",
    "outcome",
    "policy_sha256",
    "source",
)
MS_PER_HOUR: Final = 3_600_000
_CUT_TO: Final = frozenset((400, 200, 100, 40))  # lengths that receiver/audit/leaf.py shortens texts to


class Expected:
    """What a range of entries is found by, as the leaves have it. `faults` are what the columns say otherwise: the
    entry, the column and what the leaf says.
    """

    def __init__(self) -> None:
        self.tags: Words = defaultdict(list)
        self.rules: Words = defaultdict(list)
        self.hours: dict[int, tuple[int, int]] = {}  # first and last entry
        self.bodies: list[tuple[int, Mapping[str, str]]] = []  # sealed parts that the leaf names, by entry
        self.faults: list[tuple[int, str, Any]] = []

    def take(self, rows: Sequence[Row]) -> None:
        """Hold rows against their leaves, and gather what the leaves say."""
        for row, leaf in zip(rows, _contents([row[0] for row in rows]), strict=True):
            if leaf is None:
                self.faults.append((row[1], "leaf", "not JSON"))
                continue
            get = leaf.get
            rule = get("rule") or ",".join(get("rules", ())) or None
            if row != (
                row[0],
                get("idx"),
                get("at"),
                get("kind"),
                get("actor"),
                get("event_id"),
                get("action_id"),
                get("type"),
                rule,
                get("outcome"),
                get("policy_sha256"),
                get("source"),
            ):
                self.faults.extend(_differences(row, leaf))
            self._gather(row[1], leaf, rule)

    def _gather(self, idx: int, leaf: dict[str, Any], rule: str | None) -> None:
        if "tags" in leaf:
            for tag in leaf["tags"]:
                self.tags[tag].append(idx)
        if rule is not None or "shadow" in leaf:
            for word in rules_of(leaf):
                self.rules[word].append(idx)
        if "body" in leaf:
            self.bodies.append((idx, leaf["body"]))
        hour = leaf["at"] // MS_PER_HOUR
        span = self.hours.get(hour)
        self.hours[hour] = (idx, idx) if span is None else (min(span[0], idx), max(span[1], idx))


def rules_of(leaf: Mapping[str, Any]) -> Iterable[str]:
    """The rules that an entry is found by, each once."""
    if "rule" in leaf:
        return (leaf["rule"],)
    return dict.fromkeys((*leaf.get("rules", ()), *leaf.get("shadow", ())))


def may_be_shortened(content: bytes, member: str) -> bool:
    """Whether the leaf may hold fewer or shorter words than the entry is found by."""
    leaf = json.loads(content)
    words = rules_of(leaf) if member == "rules" else leaf.get("tags", ())
    return "cut" in leaf or any(len(word) in _CUT_TO for word in words)


def stored(text: Any) -> Any:
    """A text as SQLite holds it: lone surrogates stand there as escapes."""
    if isinstance(text, str) and not text.isascii():
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _contents(leaves: Sequence[bytes]) -> Sequence[dict[str, Any] | None]:
    """The leaves as objects: all at once where they can be, which takes a third less time."""
    try:
        contents = from_json(b"[" + b",".join(leaves) + b"]")
    except (ValueError, TypeError):
        contents = ()
    if len(contents) == len(leaves) and all(type(content) is dict and "at" in content for content in contents):
        return contents  # type: ignore[no-any-return]  # checked in the line above
    return [_content(leaf) for leaf in leaves]


def _content(leaf: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(leaf)
    except (ValueError, TypeError):
        return None
    return content if isinstance(content, dict) and isinstance(content.get("at"), int) else None


def _differences(row: Row, leaf: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    said = {name: stored(leaf.get(name)) for name in COLUMNS}
    said["rule"] = stored(leaf.get("rule") or ",".join(leaf.get("rules", ())) or None)
    for name, value in zip(COLUMNS, row[1:], strict=True):
        if value != said[name]:
            yield row[1], name, said[name]
