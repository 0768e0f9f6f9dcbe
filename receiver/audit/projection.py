"""What the columns and the look-up tables of an entry must say, by its leaf. Pure.

The leaf is what is hashed and signed; everything beside it repeats the leaf so that it can be searched. Whoever edits
one of those and not the leaf hides an entry, or shows another: so each is held against the leaf.

Most leaves of a day are alike but for what is theirs alone (identifiers, hashes): they are gathered in groups, and
what a group is found by and counted in is worked out once.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic_core import SchemaValidator, ValidationError, core_schema

from receiver.audit.leaf import GOAL, LONG, STEPS

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
HOURS_PER_DAY: Final = 24
BLOCK: Final = 64  # entries that the table of words tells apart no further
_LATEST: Final = 1 << 53
Counted: TypeAlias = tuple[str, int, str, str]
"""What is counted by day: the kind of the key (tag rule status kind source), the day, the key, the outcome."""
CUT_TO: Final = frozenset(characters for characters, _ in STEPS)
_SAYS_CUT: Final = 2  # version of leaves that say of every member whether it was shortened
_WIDEST: Final = 12  # bytes of a character in a leaf
_PLACED: Final = ("kind", "actor", "type", "outcome", "policy", "source", "status", "attempt", "http")
"""What entries are found by in blocks, in the order in which `Expected` groups them."""


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
    """What a range of entries is found by, as the leaves have it: `take` all rows, then `sum_up`. `faults` are what the
    columns say otherwise: the entry, the column and what the leaf says.
    """

    def __init__(self) -> None:
        self.tags: Words = defaultdict(list)
        self.rules: Words = defaultdict(list)
        self.faults: list[tuple[int, str, Any]] = []
        self.leaves: dict[int, dict[str, Any]] = {}
        self.facts: list[tuple[str, int]] = []
        self.kinds: set[str] = set()
        self.events: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)  # by event and session's mark
        self.loose: dict[int, str] = {}  # entries about a session and no event: the session's mark
        self.doubtful: set[str] = set()  # words that may be the beginnings of others
        self.policies: set[tuple[str, str]] = set()  # kind of the entry, and the version that it names
        self.blocks: defaultdict[tuple[str, str], set[int]] = defaultdict(set)  # by key and value
        self.counts: Counter[Counted] = Counter()
        self.uncounted: Counter[tuple[str, int]] = Counter()  # entries whose words may be shortened: kind and day
        self._first: dict[int, int] = {}  # entry of an hour
        self._last: dict[int, int] = {}
        self._alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)  # by day, and what _PLACED names
        self._said: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)  # by tag or rule, day, outcome, word
        self._whole = {"tag": set[str](), "rule": set[str]()}  # words that were certainly not shortened

    def take(self, rows: Sequence[Row]) -> None:
        """Hold rows against their leaves, and gather what the leaves say."""
        for row, leaf in zip(rows, _contents([row[0] for row in rows]), strict=True):
            if leaf is None:
                self.faults.append((row[1], "leaf", "not JSON"))
                continue
            get = leaf.get
            at, kind, outcome, event_id = leaf["at"], leaf["kind"], get("outcome"), get("event_id")
            actor, of_type, policy, source = get("actor"), get("type"), get("policy_sha256"), get("source")
            rule = get("rule") or ",".join(get("rules", ())) or None
            said = (leaf["idx"], at, kind, actor, event_id, get("action_id"), of_type, rule, outcome, policy, source)
            if row[1:] != said:
                self.faults.extend(_differences(row, leaf))
            idx, hour = row[1], at // MS_PER_HOUR
            day = hour // HOURS_PER_DAY
            self.leaves[idx] = leaf
            self._last[hour] = idx
            if hour not in self._first:
                self._first[hour] = idx
            alike = (kind, actor, of_type, outcome, policy, source, get("status"), get("attempt"), get("http_status"))
            self._alike[day, alike].append(idx)
            if row[5] is not None:  # what the column says leads to the event
                self.events[row[5], get("session")].append(idx)
            elif "session" in leaf:
                self.loose[idx] = leaf["session"]
            if "tags" in leaf:
                self._say("tag", idx, leaf, leaf["tags"], day)
            if rule is not None or "shadow" in leaf or "rule" in leaf:
                self._say("rule", idx, leaf, rules_of(leaf), day)
            if "facts" in leaf:
                self.facts += [(stored(value[:400]), idx) for value in leaf["facts"].values()]

    def sum_up(self) -> None:
        """Once all rows were taken: what the groups come to."""
        for (day, alike), found in self._alike.items():
            self._group(day, alike, found)
        for (kind, day, outcome, word), found in self._said.items():
            (self.tags if kind == "tag" else self.rules)[word] += found
            if outcome is not None:
                self.counts[kind, day, stored(word), stored(outcome)] += len(found)
        for words in (self.tags, self.rules):
            for indices in words.values():
                indices.sort()
        self._alike.clear()
        self._said.clear()

    def _say(self, kind: str, idx: int, leaf: Mapping[str, Any], words: Iterable[str], day: int) -> None:
        """An entry has tags, or rules. It is counted by them unless they may have been shortened."""
        whole, outcome = self._whole[kind], leaf.get("outcome", "")
        if "cut" in leaf or not whole.issuperset(words):
            words = list(words)
            if is_shortened(leaf, words):
                self.uncounted[kind, day] += 1
                self.doubtful.update(word for word in words if len(word) in CUT_TO)
                outcome = None
            else:
                whole.update(word for word in words if len(word) not in CUT_TO)
        for word in dict.fromkeys(words):
            self._said[kind, day, outcome, word].append(idx)

    @property
    def hours(self) -> dict[int, tuple[int, int]]:
        """The first and the last entry of each hour."""
        return {hour: (first, self._last[hour]) for hour, first in self._first.items()}

    def _group(self, day: int, alike: tuple[Any, ...], found: list[int]) -> None:
        kind, _, _, outcome, policy, source, status, _, _ = alike
        counts, size = self.counts, len(found)
        said = stored(outcome or "")
        counts["kind", day, stored(kind), said] += size
        counts["source", day, stored(source or ""), said] += size
        if status is not None:
            counts["status", day, stored(status), said] += size
        if policy is not None:
            self.policies.add((kind, policy))
        self.kinds.add(kind)
        blocks = {idx // BLOCK for idx in found}
        for key, value in zip(_PLACED, alike, strict=True):
            if value is not None:
                self.blocks[key, str(value)] |= blocks


def is_shortened(leaf: Mapping[str, Any], words: Iterable[str]) -> bool:
    """Whether the entry may have had more or longer words than the leaf could hold."""
    if "cut" in leaf or leaf.get("v", 1) >= _SAYS_CUT:
        return "cut" in leaf
    return any(len(word) in CUT_TO for word in words) and _may_be_cut(leaf)


def _may_be_cut(leaf: Mapping[str, Any]) -> bool:
    """Whether an old leaf, which says so of lists only, can have been too long before its texts were shortened."""
    texts = [text for name in LONG for text in _texts_in(leaf.get(name))]
    longest, size = max(map(len, texts), default=0), len(json.dumps(leaf, separators=(",", ":")))
    before = 0
    for characters, _ in STEPS:
        number = sum(len(text) == characters for text in texts)
        if number and longest <= characters and (not before or size + number * (before - characters) * _WIDEST > GOAL):
            return True
        before = characters
    return False


def _texts_in(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return (*value, *value.values()) if isinstance(value, dict) else value or ()


def rules_of(leaf: Mapping[str, Any]) -> tuple[str, ...]:
    """The rules that an entry is found by."""
    return (leaf["rule"],) if "rule" in leaf else (*leaf.get("rules", ()), *leaf.get("shadow", ()))


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
    """The leaves as objects: all at once where they can be, which takes half the time."""
    try:
        contents = _FORM.validate_json(b"[" + b",".join(leaves) + b"]")
    except ValidationError:
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
