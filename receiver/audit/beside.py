"""The rows that people read (events, decisions, actions, attempts, cases) and what is sealed in them, held against the
leaves. Pure.

Almost every row fits: so each is first compared as it stands, and only one that does not is looked at closely.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from pydantic_core import to_json

from receiver.audit.evidence import Evidence
from receiver.audit.families import Span, check_attempts, check_deeds, check_order, wrong_parent
from receiver.audit.findings import Findings
from receiver.audit.persons import Marks
from receiver.audit.projection import CUT_TO, Expected, is_shortened, stored

Leaf: TypeAlias = Mapping[str, Any]
Leaves: TypeAlias = Mapping[int, Leaf]
Attempt: TypeAlias = tuple[Any, Any, Any]  # outcome, HTTP status, whether it was spent

# What the newest entry about an action says, and what state its row may then be in: that it runs, or waits anew while a
# vendor is parked, stands in no entry.
_STATES: Final = {
    "planned": ("planned", "running", "waiting_retry"),
    "approved": ("planned", "running", "waiting_retry"),
    "retried": ("planned", "running", "waiting_retry"),
    "waiting_retry": ("waiting_retry", "running"),
    "lost": ("running", "waiting_retry"),
    "discarded": ("rejected",),
}
_ENDINGS: Final = {  # what an attempt came to, by what its entry says of the action
    "waiting_retry": ("retry", "failed"),
    "failed": ("failed", "retry"),
    "dead": ("failed", "retry"),
    "rejected": ("lost",),
}
_FAMILY: Final = ("decisions", "actions", "cases", "deeds of people")


class Excusing(Protocol):
    """Who knows what was erased or pruned (`receiver/audit/absent.py`)."""

    def content(self, idx: int, leaf: Leaf, part: str) -> bool:
        """Whether a sealed part may be gone."""
        ...


class _Sealed:
    """What is sealed, against the hashes that the leaves of a window hold."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._whole = set[int]()
        self._right, self._wrong = set[tuple[int, str]](), set[tuple[int, str]]()

    def hold(self, idx: int, leaf: Leaf, parts: Sequence[str], blobs: Sequence[bytes | None]) -> None:
        """Hold the parts of an entry against its leaf; None: there is no such part."""
        said = leaf.get("body")
        if not said:
            return
        sha256, found = hashlib.sha256, {}
        for part, blob in zip(parts, blobs, strict=True):
            if blob is not None and part in said:
                found[part] = sha256(blob).hexdigest()
        if found == said:
            self._whole.add(idx)
            return
        for part, digest in found.items():
            (self._right if digest == said[part] else self._wrong).add((idx, part))

    def tell(self, reader: Evidence, excuses: Excusing, start: int, end: int, findings: Findings) -> None:
        """Look for what is not there yet, and say what is wrong, or missing without an excuse."""
        bodies = {idx: leaf["body"] for idx, leaf in self._leaves.items() if "body" in leaf and idx not in self._whole}
        wanted = {(self._leaves[idx]["kind"], part) for idx, body in bodies.items() for part in body}
        for idx, part, blob in reader.sealed(wanted, start, end) if wanted else ():
            if part in bodies.get(idx, ()):
                fits = hashlib.sha256(blob).hexdigest() == bodies[idx][part]
                (self._right if fits else self._wrong).add((idx, part))
        for idx, part in sorted(self._wrong - self._right):  # two decisions of one millisecond: told apart by hashes
            if idx not in self._whole:
                findings.add("blob", f"entry {idx}", f"its sealed {part} is not the one whose hash the leaf holds")
        absent = {(idx, part) for idx, body in bodies.items() for part in body} - self._right - self._wrong
        for idx, part in sorted(absent):
            if not excuses.content(idx, self._leaves[idx], part):
                what = f"blob {part} is missing, and no entry says that it was erased or pruned"
                findings.add("blob", f"entry {idx}", what)


class Rows:
    """The rows of a window of entries. `sessions` are those of the events that were met, `spans` how far the numbers of
    rows go.
    """

    def __init__(self, reader: Evidence, expected: Expected, start: int, end: int, findings: Findings) -> None:
        self.sessions: dict[str, Any] = {}
        self.marks: Marks = {}
        self.spans: dict[str, Span] = {}
        self._reader, self._expected, self._leaves = reader, expected, expected.leaves
        self._start, self._end = start, end
        self._findings = findings
        self._sealed = _Sealed(expected.leaves)

    def check(self, excuses: Excusing) -> None:
        """Every row, and everything that is sealed."""
        families = list(self._events())
        self._actions()
        self._reviews()
        self._decisions()
        check_deeds(self._reader, self._leaves, self._tell)
        for idx, what in families:
            self._tell(idx, what)
        self._sealed.tell(self._reader, excuses, self._start, self._end, self._findings)

    def _tell(self, idx: int, what: str) -> None:
        self._findings.add("row", f"entry {idx}", what)

    def _rows(self, kind: str) -> Iterator[tuple[int, Leaf, Sequence[Any]]]:
        """Rows with what the leaf says; those whose leaf says nothing of the kind are told of elsewhere."""
        leaves = self._leaves
        for row in self._reader.rows(kind, self._start, self._end) if kind in self._expected.kinds else ():
            leaf = leaves.get(row[0])
            if leaf is not None and leaf["kind"] == kind:
                yield row[0], leaf, row

    def _events(self) -> Iterator[tuple[int, str]]:
        """Gives what is wrong with the families of events: how many rows each has, how many entries tell of them."""
        parts, hold, sessions = ("body", "document", "biometric"), self._sealed.hold, self.sessions
        numbers: list[tuple[int, int]] = []
        for idx, leaf, row in self._rows("event"):
            if row[1] is None:
                self._tell(idx, "its event is missing")
                continue
            _, _, kind, status, tags, source, received_at, payload = row[:8]
            get = leaf.get
            if payload is None or (kind, status or None, tags, source, received_at) != (
                get("type"),
                get("status"),
                _listed(get("tags")),
                get("source"),
                leaf["at"],
            ):
                for what in _event(row, leaf):
                    self._tell(idx, what)
            if row[18] is not None or "parent" in leaf:
                for what in wrong_parent(leaf, row[18]):
                    self._tell(idx, what)
            numbers.append((idx, row[1]))
            hold(idx, leaf, parts, row[15:18])
            sessions[row[9]] = row[8]
            if row[8] is not None:
                self.marks.setdefault((row[19], row[8], get("session")), idx)
            yield from self._family(idx, (row[9], leaf.get("session")), row[10:14], row[14])
        self._in_order(numbers, "event")

    def _in_order(self, numbers: Sequence[tuple[int, int]], what: str) -> None:
        span = check_order(numbers, what, self._tell)
        if span is not None:
            self.spans[what] = span

    def _family(
        self, idx: int, event: tuple[str, str | None], has: Sequence[int], entries: int
    ) -> Iterator[tuple[int, str]]:
        here = self._expected.events.get(event, [])
        if len(here) == entries and has == _told([self._leaves[at] for at in here]):
            return
        counted = self._reader.family(idx)  # where some stand in another window, too
        for name, rows, told in zip(_FAMILY, counted[:4], counted[4:], strict=True):
            if rows != told:
                yield idx, f"its event has {rows} {name}; entries tell of {told}"

    def _actions(self) -> None:
        parts, hold, last = ("params", "result"), self._sealed.hold, -1
        found: dict[int, dict[int, Attempt]] = {}
        for idx, leaf, row in self._rows("action"):
            _, n, name, rule, state, newest, event_id, attempt, outcome, http, spent, params, result = row
            get = leaf.get
            if idx != last:
                last = idx
                fits = (name, rule, event_id) == (get("type"), get("rule"), get("event_id"))
                if n is None or not fits or (newest is not None and state not in _STATES.get(newest, (newest,))):
                    for what in _action(row, leaf) if n is not None else ("its action is missing",):
                        self._tell(idx, what)
            if attempt is not None:
                found.setdefault(idx, {})[attempt] = (outcome, http, spent)
            hold(idx, leaf, parts, (params, result if attempt == get("attempt") else None))
        self._attempts(found)
        check_attempts(self._reader, self._leaves, found, self._tell)

    def _attempts(self, found: Mapping[int, Mapping[int, Attempt]]) -> None:
        for idx, leaf in self._leaves.items():
            if "attempt" not in leaf or leaf["kind"] != "action":
                continue
            attempts, number, said = found.get(idx, {}), leaf["attempt"], leaf.get("outcome", "")
            row = attempts.get(number)
            if row is None:
                if not was_waiting(leaf, attempts):
                    self._tell(idx, f"attempt {number} of its action is missing")
            elif row[0] not in _ENDINGS.get(said, (said,)):
                self._tell(idx, f"the attempt's outcome was edited to {row[0]!r}: the leaf says {said!r}")
            elif row[1] != leaf.get("http_status"):
                self._tell(idx, f"the attempt's http_status was edited: the leaf says {leaf.get('http_status')!r}")

    def _reviews(self) -> None:
        for idx, leaf, row in self._rows("review"):
            self._sealed.hold(idx, leaf, ("reason",), row[7:])
            for what in _review(row, leaf) if row[1] is not None else ("its review is missing",):
                self._tell(idx, what)

    def _decisions(self) -> None:
        wrong: dict[int, list[str]] = {}
        right, numbers = set(), []
        for idx, leaf, row in self._rows("decision"):
            _, n, actor, outcome, policy, status, fired, shadow, document = row
            get = leaf.get
            if (actor, outcome, policy, status or None, fired, shadow) == (
                get("actor"),
                get("outcome"),
                get("policy_sha256"),
                get("status"),
                _listed(get("rules")),
                _listed(get("shadow")),
            ):
                right.add(idx)
                numbers.append((idx, n))
            else:
                faults = ["its decision is missing"] if n is None else list(_decision(row, leaf))
                if faults:  # two decisions of one millisecond are told apart by what they say
                    wrong.setdefault(idx, faults)
                else:
                    right.add(idx)
                    numbers.append((idx, n))
            self._sealed.hold(idx, leaf, ("decision",), (document,))
        for idx in sorted(wrong.keys() - right):
            for what in wrong[idx]:
                self._tell(idx, what)
        self._in_order(numbers, "decision")


def _told(leaves: Sequence[Leaf]) -> tuple[int, ...]:
    """How many decisions, actions, cases and deeds entries tell of."""
    kinds = [leaf["kind"] for leaf in leaves]
    actions = {leaf.get("action_id") for leaf, kind in zip(leaves, kinds, strict=True) if kind == "action"}
    deeds = sum(leaf["kind"] == "operator" and "action_id" in leaf for leaf in leaves) if "operator" in kinds else 0
    return kinds.count("decision"), len(actions - {None}), kinds.count("review"), deeds


def _event(row: Sequence[Any], leaf: Leaf) -> Iterable[str]:
    _, _, kind, status, tags, source, received_at, payload = row[:8]
    said = {"type": leaf.get("type"), "status": leaf.get("status"), "source": leaf.get("source")}
    yield from _texts("event", leaf, said, {"type": kind, "status": status or None, "source": source})
    if received_at != leaf["at"]:
        yield f"the event's received_at was edited: the leaf says {leaf['at']}"
    yield from _list("event", "tags", leaf, list(leaf.get("tags", ())), tags, most=1000)
    if payload is None:
        yield "the row of the event's sealed contents is missing"


def _action(row: Sequence[Any], leaf: Leaf) -> Iterable[str]:
    _, _, name, rule, state, newest, event_id = row[:7]
    said = {"name": leaf.get("type"), "rule": leaf.get("rule"), "event": leaf.get("event_id")}
    yield from _texts("action", leaf, said, {"name": name, "rule": rule, "event": event_id})
    if newest is not None and state not in _STATES.get(newest, (newest,)):
        yield f"the action's state was edited to {state!r}: the newest entry about it says {newest!r}"


def _review(row: Sequence[Any], leaf: Leaf) -> Iterable[str]:
    _, _, queue, state, opened_at, resolved_by, resolver = row[:7]
    yield from _texts("case", leaf, {"queue": leaf.get("facts", {}).get("queue")}, {"queue": queue})
    if opened_at != leaf["at"]:
        yield f"the case's opened_at was edited: the leaf says {leaf['at']}"
    if state != ("open" if resolver is None else "resolved") or resolved_by != resolver:
        by = "nobody" if resolver is None else repr(resolver)
        yield f"the case's state was edited: by its entries, {by} resolved it"


def _decision(row: Sequence[Any], leaf: Leaf) -> Iterable[str]:
    _, _, actor, outcome, policy, status, fired, shadow = row[:8]
    said = {name: leaf.get(name) for name in ("actor", "outcome", "policy_sha256", "status")}
    found = {"actor": actor, "outcome": outcome, "policy_sha256": policy, "status": status or None}
    yield from _texts("decision", leaf, said, found)
    rules, silent = list(leaf.get("rules", ())), list(leaf.get("shadow", ()))
    if shadow is None:  # written before these stood apart
        silent, rules = [], rules + silent
    else:
        yield from _list("decision", "rules_shadow", leaf, silent, shadow)
    yield from _list("decision", "rules_fired", leaf, rules, fired)


def was_waiting(leaf: Leaf, attempts: Mapping[Any, Attempt]) -> bool:
    """Whether the attempt gave way to a later one that waits for the same: one row is kept of those."""
    later = [row for n, row in attempts.items() if isinstance(n, int) and n > leaf["attempt"]]
    return leaf.get("outcome") == "waiting_retry" and any(row[0] == "retry" and not row[2] for row in later)


def _listed(words: Sequence[str] | None) -> str:
    """A list as columns hold it, if it was written whole."""
    try:
        return to_json(words).decode() if words else "[]"
    except ValueError:  # a lone surrogate
        return ""


def _texts(of: str, leaf: Leaf, said: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[str]:
    for name, value in said.items():
        text, there = stored(value), found[name]
        begins = text and len(value) in CUT_TO and isinstance(there, str) and there.startswith(text)
        if text == there or (begins and is_shortened(leaf, (value,))):
            continue
        yield f"the {of}'s {name} was edited to {there!r}: the leaf says {text!r}"


def _list(of: str, name: str, leaf: Leaf, said: list[str], found: Any, most: int = 1 << 30) -> Iterable[str]:
    if is_shortened(leaf, said):
        return
    try:
        there = list(dict.fromkeys(json.loads(found)))[:most]
    except (ValueError, TypeError, RecursionError):
        there = None
    if there != (list(dict.fromkeys(said)) if most == 1 << 30 else said) and sorted(there or ()) != sorted(set(said)):
        yield f"the {of}'s {name} was edited to {str(found)[:200]!r}: the leaf says {said!r}"
