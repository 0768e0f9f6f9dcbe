"""Whether what is not there any more was erased or pruned, as entries of the record say. Pure.

An entry is believed when its leaf is in the tree, and the tree was signed with it: the tables that it is found by are
not believed, and neither is what stands behind the newest checkpoint, which nobody needs a key to write. It accounts
for what it can have done: not for a person who was held then, nor for an event that was not finished.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from receiver.audit.beside import was_waiting
from receiver.audit.evidence import Evidence
from receiver.audit.leaf import person_mark
from receiver.audit.projection import decoded
from receiver.audit.tree import HASH, WIDTH

ALL: Final = 1 << 62
"""More entries than there are: all of them are signed."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BIOMETRIC: Final = frozenset((("event", "body"), ("event", "biometric")))
_OF_ACTION: Final = frozenset((("action", "params"), ("action", "result")))
_SAYS_WHOSE: Final = 2  # version of leaves that say whose an event is, and which actions are biometric
_UNFINISHED: Final = frozenset(
    ("planned", "awaiting_approval", "approved", "retried", "running", "waiting_retry", "lost", "open")
)
_Known: TypeAlias = tuple[int, dict[str, str]]  # an entry that is believed: its index, its facts


def _believed(reader: Evidence, idx: int, content: bytes, kinds: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Kind and facts of an entry of one of these kinds; empty where it is none, or not in the tree."""
    at = idx % WIDTH * HASH
    if reader.tile(0, idx // WIDTH)[at : at + HASH] != hashlib.sha256(b"\x00" + content).digest():
        return "", {}
    leaf = decoded(content)
    if leaf is None or leaf["kind"] not in kinds or leaf["idx"] != idx:
        return "", {}
    return leaf["kind"], leaf.get("facts", {})


def begins_rightly(reader: Evidence, first: int) -> bool:
    """Whether an entry says that everything before `first` was pruned."""
    if first == 0:
        return True
    found = (_believed(reader, idx, content, ("prune",))[1] for idx, content in reader.prunings() if idx >= first)
    return any(facts.get("class") == "entry" and facts.get("to") == str(first) for facts in found)


def erased_for_good(reader: Evidence, signed: int) -> Iterator[tuple[int, bytes]]:
    """Who was erased altogether, and by which entry; of those that `signed` entries were signed with."""
    for idx, content in reader.erasures():
        facts = _believed(reader, idx, content, ("erasure",))[1] if idx < signed else {}
        ref = _bytes(facts.get("subject", ""))
        if facts.get("class") == "all" and ref:
            yield idx, ref


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose an event is, and what its entries say of it; `ref` None where the row says another person than they do."""

    ref: bytes | None
    received_at: int
    parted: bool
    changes: Sequence[tuple[int, bool]]  # from which entry on it was finished, or was not

    def finished_at(self, idx: int) -> bool:
        """Whether everything about it was over when an entry was written."""
        at = bisect_left(self.changes, (idx, False)) - 1
        return at < 0 or self.changes[at][1]


class Excuses:
    """What erasing and pruning account for, looked up as it is needed and kept for one view. Only the first `signed`
    entries are believed; `unsigned` are entries behind them that would have accounted for something.
    """

    def __init__(self, reader: Evidence, signed: int = ALL) -> None:
        self.unsigned: set[int] = set()
        self._reader, self._signed = reader, signed
        self._owners: dict[Any, _Owner | None] = {}
        self._erasures: dict[bytes, list[tuple[int, str]]] = {}
        self._holds: dict[bytes, list[tuple[int, int]]] = {}
        self._empty: dict[bytes, bool] = {}
        self._prunings: list[tuple[int, str, int]] = []
        self._more = self._read_prunings()

    def content(self, idx: int, leaf: Mapping[str, Any], part: str) -> bool:
        """Whether a sealed part may be gone."""
        kind = leaf["kind"]
        if kind == "hold":
            return self._hold(idx, leaf)
        owner = self._owner(idx, leaf) if kind != "erasure" else None
        if owner is None or owner.ref is None:
            return False
        shorter = kind == "event" and ((kind, part) in _BIOMETRIC or not owner.parted)
        shorter = shorter or ((kind, part) in _OF_ACTION and self._is_biometric(idx, leaf))
        return (
            self._is_erased(owner.ref, idx, shorter=shorter)
            or self._is_pruned(owner.ref, idx, owner, shorter=shorter)
            or (part == "result" and self._gave_way(idx, leaf))
        )

    def session(self, idx: int, leaf: Mapping[str, Any]) -> bool:
        """Whether an event may have no session any more."""
        owner = self._owner(idx, leaf)
        if owner is None or owner.ref is None:
            return False
        return self._is_erased(owner.ref, idx, shorter=False) or (
            self._has_nothing(owner.ref) and self._is_pruned(owner.ref, idx, owner, shorter=False)
        )

    def _hold(self, idx: int, leaf: Mapping[str, Any]) -> bool:
        """Why somebody was held goes with the person, or with the last that is kept of one."""
        ref = _bytes(leaf.get("facts", {}).get("subject", ""))
        return self._is_erased(ref, idx, shorter=False) or (
            self._has_nothing(ref) and self._is_pruned(ref, idx, None, shorter=False)
        )

    def _owner(self, idx: int, leaf: Mapping[str, Any]) -> _Owner | None:
        event_id = leaf.get("event_id")
        if event_id not in self._owners:
            self._owners[event_id] = self._read_owner(idx, event_id, leaf)
        return self._owners[event_id]

    def _read_owner(self, idx: int, event_id: Any, leaf: Mapping[str, Any]) -> _Owner | None:
        ref, received_at, parted, _ = self._reader.owner(idx)
        if not isinstance(ref, bytes) or not isinstance(received_at, int):
            return None
        entries = list(self._reader.of_event(idx))
        if leaf["kind"] != "event":
            content = next((content for _, kind, _, _, content in entries if kind == "event"), None)
            leaf = (decoded(content) if content is not None else None) or {}
        if leaf.get("v", 1) >= _SAYS_WHOSE:
            parted = True
            ref = ref if leaf.get("person") == person_mark(str(event_id), ref) else None
        parted = bool(parted) or "biometric" in leaf.get("body", ())
        return _Owner(ref, received_at, parted, _changes(entries))

    def _is_biometric(self, idx: int, leaf: Mapping[str, Any]) -> bool:
        if leaf.get("v", 1) >= _SAYS_WHOSE:
            return leaf.get("biometric") is True
        return bool(self._reader.owner(idx)[3])

    def _has_nothing(self, ref: bytes) -> bool:
        if ref not in self._empty:
            self._empty[ref] = not self._reader.has_contents(ref)
        return self._empty[ref]

    def _is_erased(self, ref: bytes, idx: int, *, shorter: bool) -> bool:
        if ref not in self._erasures:
            self._erasures[ref] = list(self._read_erasures(ref))
        return self._any_signed(at for at, kind in self._erasures[ref] if at > idx and (shorter or kind == "all"))

    def _read_erasures(self, ref: bytes) -> Iterator[tuple[int, str]]:
        """An erasure counts the events of its person: it excuses no more than these."""
        for idx, content in self._reader.naming(ref.hex()):
            facts = _believed(self._reader, idx, content, ("erasure",))[1]
            payloads = facts.get("payloads", "")
            counted = int(payloads) if payloads.isascii() and payloads.isdecimal() and len(payloads) < 19 else -1
            if facts.get("subject") != ref.hex() or self._held_at(ref, idx):
                continue
            if self._reader.events_of(ref, idx) <= counted:
                yield idx, facts.get("class", "")

    def _is_pruned(self, ref: bytes, idx: int, owner: _Owner | None, *, shorter: bool) -> bool:
        return self._any_signed(
            pruned
            for pruned, kind, before in self._all_prunings()
            if pruned > idx
            and (shorter or kind == "all")
            and (owner is None or (owner.received_at < before and owner.finished_at(pruned)))
            and not self._held_at(ref, pruned)
        )

    def _any_signed(self, entries: Iterator[int]) -> bool:
        """Whether one of these entries is signed. Notes one that would have done, if it were."""
        behind = -1
        for idx in entries:
            if idx < self._signed:
                return True
            behind = idx
        if behind >= 0:
            self.unsigned.add(behind)
        return False

    def _all_prunings(self) -> Iterator[tuple[int, str, int]]:
        """The newest first."""
        at = 0
        while at < len(self._prunings) or self._read_on():
            yield self._prunings[at]
            at += 1

    def _read_on(self) -> bool:
        found = next(self._more, None)
        if found is not None:
            self._prunings.append(found)
        return found is not None

    def _read_prunings(self) -> Iterator[tuple[int, str, int]]:
        for idx, content in self._reader.prunings():
            facts = _believed(self._reader, idx, content, ("prune",))[1]
            if facts.get("class") in ("all", "biometric"):
                yield idx, facts["class"], _milliseconds(facts.get("before", ""))

    def _held_at(self, ref: bytes, idx: int) -> bool:
        if ref not in self._holds:
            self._holds[ref] = list(self._read_holds(ref))
        return any(held < idx < released for held, released in self._holds[ref])

    def _read_holds(self, ref: bytes) -> Iterator[tuple[int, int]]:
        """From which entry to which a legal hold stood on a person."""
        held: int | None = None
        for idx, content in sorted(self._reader.naming(ref.hex())):
            kind, facts = _believed(self._reader, idx, content, ("hold", "release"))
            if facts.get("subject") != ref.hex():
                continue
            if kind == "hold" and held is None:
                held = idx
            elif kind == "release" and held is not None:
                yield held, idx
                held = None
        if held is not None:
            yield held, ALL

    def _gave_way(self, idx: int, leaf: Mapping[str, Any]) -> bool:
        rows = [row[7:11] for row in self._reader.rows("action", idx, idx + 1) if row[7] is not None]
        return "attempt" in leaf and was_waiting(leaf, {n: tuple(attempt) for n, *attempt in rows})


def _changes(entries: Sequence[tuple[int, str, Any, Any, bytes]]) -> list[tuple[int, bool]]:
    """From which entry on an event was finished, or was not: its actions, and its cases. Entries ascend."""
    changes, unfinished, cases = list[tuple[int, bool]](), set[Any](), 0
    for idx, kind, action_id, outcome, _ in entries:
        if kind == "review":
            cases += 1
        elif kind == "operator" and outcome == "resolved":
            cases -= 1
        elif kind in ("action", "operator") and action_id is not None:
            (unfinished.add if outcome in _UNFINISHED else unfinished.discard)(action_id)
        changes.append((idx, not unfinished and cases <= 0))
    return changes


def _bytes(text: str) -> bytes:
    """A ref as facts have it; empty for what is none."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _milliseconds(text: str) -> int:
    """Unix milliseconds of a time in ISO 8601; 0, which excuses nothing, for what is none."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):
        return 0
