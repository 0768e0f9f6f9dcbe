"""Whether what is not there any more was erased or pruned, as entries of the record say. Pure.

An entry is believed when its leaf is in the tree: the tables that it is found by are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from receiver.audit.beside import was_waiting
from receiver.audit.evidence import Evidence
from receiver.audit.projection import decoded
from receiver.audit.tree import HASH, WIDTH

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BIOMETRIC: Final = frozenset((("event", "body"), ("event", "biometric")))
_OF_ACTION: Final = frozenset((("action", "params"), ("action", "result")))


def _believed(reader: Evidence, idx: int, content: bytes, kind: str) -> dict[str, str]:
    """The facts of an entry of this kind; empty where it is none, or not in the tree."""
    at = idx % WIDTH * HASH
    if reader.tile(0, idx // WIDTH)[at : at + HASH] != hashlib.sha256(b"\x00" + content).digest():
        return {}
    leaf = decoded(content)
    if leaf is None or leaf["kind"] != kind or leaf["idx"] != idx:
        return {}
    facts: dict[str, str] = leaf.get("facts", {})
    return facts


def begins_rightly(reader: Evidence, first: int) -> bool:
    """Whether an entry says that everything before `first` was pruned."""
    if first == 0:
        return True
    found = ((idx, _believed(reader, idx, content, "prune")) for idx, content in reader.prunings() if idx >= first)
    return any(facts.get("class") == "entry" and facts.get("to") == str(first) for _, facts in found)


class Excuses:
    """What erasing and pruning account for, looked up as it is needed and kept for one view."""

    def __init__(self, reader: Evidence) -> None:
        self._reader = reader
        self._erasures: dict[bytes, list[tuple[int, str]]] = {}
        self._prunings: list[tuple[int, str, int]] = []
        self._more = self._read_prunings()

    def content(self, idx: int, leaf: Mapping[str, Any], part: str) -> bool:
        """Whether a sealed part may be gone."""
        kind = leaf["kind"]
        if kind == "hold":
            return self._hold(idx, leaf)
        if kind == "erasure":
            return False
        ref, received_at, parted, biometric = self._reader.owner(idx)
        if ref is None or not isinstance(received_at, int):
            return False
        shorter = (kind, part) in _BIOMETRIC or not parted or (biometric and (kind, part) in _OF_ACTION)
        return (
            self._is_erased(bytes(ref), idx, shorter=bool(shorter))
            or self._is_pruned(idx, received_at, shorter=bool(shorter))
            or (part == "result" and self._gave_way(idx, leaf))
        )

    def session(self, idx: int, leaf: Mapping[str, Any]) -> bool:
        """Whether an event may have no session any more."""
        ref, received_at, parted, _ = self._reader.owner(idx)
        if ref is None or not isinstance(received_at, int):
            return False
        return self._is_erased(bytes(ref), idx, shorter=False, since=False) or self._is_pruned(
            idx, received_at, shorter=not parted, since=False
        )

    def _hold(self, idx: int, leaf: Mapping[str, Any]) -> bool:
        try:
            ref = bytes.fromhex(leaf.get("facts", {}).get("subject", ""))
        except ValueError:
            return False
        return self._is_erased(ref, idx, shorter=False) or self._is_pruned(idx, 0, shorter=True)

    def _is_erased(self, ref: bytes, idx: int, *, shorter: bool, since: bool = True) -> bool:
        if ref not in self._erasures:
            self._erasures[ref] = list(self._read_erasures(ref))
        return any((at > idx or not since) and (shorter or kind == "all") for at, kind in self._erasures[ref])

    def _read_erasures(self, ref: bytes) -> Iterator[tuple[int, str]]:
        """An erasure counts the events of its person: it excuses no more than these."""
        for idx, content in self._reader.naming(ref.hex()):
            facts = _believed(self._reader, idx, content, "erasure")
            payloads = facts.get("payloads", "")
            counted = int(payloads) if payloads.isascii() and payloads.isdecimal() and len(payloads) < 19 else -1
            if facts.get("subject") == ref.hex() and self._reader.events_of(ref, idx) <= counted:
                yield idx, facts.get("class", "")

    def _is_pruned(self, idx: int, received_at: int, *, shorter: bool, since: bool = True) -> bool:
        at = 0
        while at < len(self._prunings) or self._read_on():
            pruned, kind, before = self._prunings[at]
            if (pruned > idx or not since) and received_at < before and (shorter or kind == "all"):
                return True
            at += 1
        return False

    def _read_on(self) -> bool:
        found = next(self._more, None)
        if found is not None:
            self._prunings.append(found)
        return found is not None

    def _read_prunings(self) -> Iterator[tuple[int, str, int]]:
        for idx, content in self._reader.prunings():
            facts = _believed(self._reader, idx, content, "prune")
            if facts.get("class") in ("all", "biometric"):
                yield idx, facts["class"], _milliseconds(facts.get("before", ""))

    def _gave_way(self, idx: int, leaf: Mapping[str, Any]) -> bool:
        rows = self._reader.rows("attempt", idx, idx + 1)
        return "attempt" in leaf and was_waiting(
            leaf, {n: (outcome, http, spent) for _, n, outcome, http, spent in rows}
        )


def _milliseconds(text: str) -> int:
    """Unix milliseconds of a time in ISO 8601; 0, which excuses nothing, for what is none."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):
        return 0
