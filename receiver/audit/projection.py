"""What the columns and the look-up tables of an entry must say, by its leaf. Pure.

The leaf is what is hashed and signed; everything beside it repeats the leaf so that it can be searched. Whoever edits
one of those and not the leaf hides an entry, or shows another: so each is held against the leaf.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json

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
MS_PER_DAY: Final = 86_400_000
BLOCK: Final = 64  # entries that the table of words tells apart no further
_LATEST: Final = 1 << 53
Counted: TypeAlias = tuple[str, int, str, str]
"""What is counted by day: the kind of the key (tag rule status kind source), the day, the key, the outcome."""
_CUT_TO: Final = frozenset((400, 200, 100, 40))  # lengths that receiver/audit/leaf.py shortens texts to


def _form() -> SchemaValidator:
    """The form of a leaf (`receiver/audit/leaf.py`). Members of no known name are passed over."""
    text, field = core_schema.str_schema(strict=True), core_schema.typed_dict_field
    number = core_schema.int_schema(strict=True, ge=0, le=_LATEST)
    texts, named = core_schema.list_schema(text, strict=True), core_schema.dict_schema(text, text, strict=True)
    forms = {
        **dict.fromkeys(("idx", "at"), field(number, required=True)),
        "kind": field(text, required=True),
        **dict.fromkeys(("v", "attempt", "http_status"), field(number, required=False)),
        **dict.fromkeys(("tags", "rules", "shadow"), field(texts, required=False)),
        **dict.fromkeys(("facts", "body"), field(named, required=False)),
    }
    one = ("actor", "source", "event_id", "action_id", "type", "rule", "outcome", "status", "policy_sha256", "session")
    forms |= dict.fromkeys(one, field(text, required=False))
    return SchemaValidator(core_schema.list_schema(core_schema.typed_dict_schema(forms, extra_behavior="allow")))


_FORM: Final = _form()


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
        self.leaves: dict[int, dict[str, Any]] = {}
        self.facts: list[tuple[str, int]] = []
        self.blocks: defaultdict[tuple[str, str], set[int]] = defaultdict(set)  # by key and value
        self.counts: Counter[Counted] = Counter()
        self.uncounted: Counter[tuple[str, int]] = Counter()  # entries whose words may be shortened: kind and day

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
        self.leaves[idx] = leaf
        if "tags" in leaf:
            for tag in dict.fromkeys(leaf["tags"]):
                self.tags[tag].append(idx)
        if rule is not None or "shadow" in leaf:
            for word in rules_of(leaf):
                self.rules[word].append(idx)
        if "body" in leaf:
            self.bodies.append((idx, leaf["body"]))
        hour = leaf["at"] // MS_PER_HOUR
        span = self.hours.get(hour)
        self.hours[hour] = (idx, idx) if span is None else (min(span[0], idx), max(span[1], idx))
        self._count(leaf)
        self._place(idx, leaf)

    def _count(self, leaf: dict[str, Any]) -> None:
        day, outcome, counts = leaf["at"] // MS_PER_DAY, stored(leaf.get("outcome", "")), self.counts
        counts["kind", day, stored(leaf["kind"]), outcome] += 1
        counts["source", day, stored(leaf.get("source", "")), outcome] += 1
        if "status" in leaf:
            counts["status", day, stored(leaf["status"]), outcome] += 1
        if "tags" in leaf:
            self._count_words("tag", day, outcome, leaf, dict.fromkeys(leaf["tags"]))
        if "rule" in leaf or "rules" in leaf or "shadow" in leaf:
            self._count_words("rule", day, outcome, leaf, rules_of(leaf))

    def _count_words(self, kind: str, day: int, outcome: str, leaf: dict[str, Any], words: Iterable[str]) -> None:
        words = list(words)
        if is_shortened(leaf, words):
            self.uncounted[kind, day] += 1
            return
        for word in words:
            self.counts[kind, day, stored(word), outcome] += 1

    def _place(self, idx: int, leaf: dict[str, Any]) -> None:
        block, blocks = idx // BLOCK, self.blocks
        for key, member in _PLACED:
            value = leaf.get(member)
            if value is not None:
                blocks[key, str(value)].add(block)
        if "facts" in leaf:
            self.facts += [(stored(value[:400]), idx) for value in leaf["facts"].values()]


_PLACED: Final = (
    ("kind", "kind"),
    ("actor", "actor"),
    ("type", "type"),
    ("outcome", "outcome"),
    ("policy", "policy_sha256"),
    ("source", "source"),
    ("status", "status"),
    ("attempt", "attempt"),
    ("http", "http_status"),
)


def is_shortened(leaf: Mapping[str, Any], words: Iterable[str]) -> bool:
    """Whether the entry may have had more or longer words than the leaf could hold."""
    return "cut" in leaf or any(len(word) in _CUT_TO for word in words)


def rules_of(leaf: Mapping[str, Any]) -> Iterable[str]:
    """The rules that an entry is found by, each once."""
    if "rule" in leaf:
        return (leaf["rule"],)
    return dict.fromkeys((*leaf.get("rules", ()), *leaf.get("shadow", ())))


def may_be_shortened(content: bytes, member: str) -> bool:
    """Whether the leaf may hold fewer or shorter words than the entry is found by."""
    leaf = decoded(content)
    return leaf is not None and is_shortened(leaf, rules_of(leaf) if member == "rules" else leaf.get("tags", ()))


def stored(text: Any) -> Any:
    """A text as SQLite holds it: lone surrogates stand there as escapes."""
    if isinstance(text, str) and not text.isascii():
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _contents(leaves: Sequence[bytes]) -> Sequence[dict[str, Any] | None]:
    """The leaves as objects: all at once where they can be, which takes a third less time."""
    try:
        contents = _FORM.validate_python(from_json(b"[" + b",".join(leaves) + b"]"))
    except (ValueError, TypeError, ValidationError):
        contents = ()
    if len(contents) == len(leaves):
        return contents  # type: ignore[no-any-return]  # validated
    return [decoded(leaf) for leaf in leaves]


def decoded(leaf: bytes) -> dict[str, Any] | None:
    """The leaf as an object; None for what has not the form of one, whatever a forger made of it."""
    try:
        content: dict[str, Any] = json.loads(leaf)
        _FORM.validate_python([_without_surrogates(content)])
    except (ValueError, TypeError, RecursionError):
        return None
    return content


def _without_surrogates(value: Any) -> Any:
    """The same in what a validator can read: it has no lone surrogates."""
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(member) for name, member in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list) else stored(value)


def _differences(row: Row, leaf: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    said = {name: stored(leaf.get(name)) for name in COLUMNS}
    said["rule"] = stored(leaf.get("rule") or ",".join(leaf.get("rules", ())) or None)
    for name, value in zip(COLUMNS, row[1:], strict=True):
        if value != said[name]:
            yield row[1], name, said[name]
