"""Persons, their keys and their sessions, held against the leaves. Pure; the keys are given to it.

What is kept of a person needs that person's key, unless it was erased: a key that was taken away, or put back, is told
of here. With the keys it can also be told whose session an event is of: its leaf has the session salted under the key
of its person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from receiver.audit.findings import Findings

State: TypeAlias = Literal["sound", "damaged", "none"]
Marks: TypeAlias = dict[tuple[Any, Any, Any], int]
"""Of events: the ref of the person, the session, the session as it stands in the leaf; and the first entry of each."""
_KINDS: Final = ("personal", "biometric")


class Keys(Protocol):
    """The keys of persons, as far as they can be read."""

    def states(self) -> Iterator[tuple[bytes, State, State]]:
        """Of every person with keys, ascending by ref: the personal key, the one for biometric data."""
        ...

    def mark(self, ref: bytes, session_id: str) -> str | None:
        """How a session of a person must stand in leaves; None where the key that it takes cannot be had."""
        ...


class Persons(Protocol):
    """What is asked of the store."""

    def persons(self) -> Iterator[Any]:
        """The refs of all persons who have events, ascending."""
        ...

    def needs_key(self, ref: bytes, kind: str) -> bool:
        """Whether anything is kept that the person's `personal` or `biometric` key is needed for."""
        ...

    def loose(self, start: int) -> Iterator[tuple[int, Any, int]]:
        """Which entries from `start` on that are about no event a session finds: entry, session, and whether the event
        is there that was the session's newest then.
        """
        ...

    def marks_of(self, session_id: Any) -> set[Any]:
        """How a session stands in the leaves of its events; with None where one has no leaf left that says so."""
        ...

    def marked(self, marks: Collection[str]) -> set[Any]:
        """Those of these marks that events have which still have their session."""
        ...


def missing_keys(
    reader: Persons, keys: Keys, erased: Mapping[bytes, int], findings: Findings
) -> list[tuple[bytes, str]]:
    """Tells of keys that are damaged, and of those of persons who were `erased` (by which entry). Gives whose keys of
    which kind are missing though something is kept: a person may be being erased just now, so look again.
    """
    missing = []
    for ref, states in _side_by_side(reader.persons(), keys.states()):
        if not isinstance(ref, bytes):
            findings.add("row", f"person {ref!r}", "is no ref of a person: an event's subject_ref was edited")
            continue
        for kind, state in zip(_KINDS, states, strict=True):
            if state == "damaged":
                findings.add("keys", f"person {ref.hex()}", f"the {kind} key in keys.db does not open: it was changed")
            elif state == "none" and (kind == "personal" or states[0] != "none") and reader.needs_key(ref, kind):
                missing.append((ref, kind))
        if states[0] != "none" and ref in erased:
            what = f"has a key in keys.db, and entry {erased[ref]} says that it was destroyed: it was put back"
            findings.add("keys", f"person {ref.hex()}", what)
    return missing


def check_missing(reader: Persons, missing: Collection[tuple[bytes, str]], findings: Findings) -> None:
    """The second look at what `missing_keys` gave."""
    for ref, kind in missing:
        if reader.needs_key(ref, kind):
            what = f"the {kind} key is missing from keys.db, and no entry says that what it opens was erased"
            findings.add("keys", f"person {ref.hex()}", what)


def check_marks(keys: Keys, marks: Marks, findings: Findings) -> None:
    """Whether events are of the session, and of the person, that their leaves have under a mark."""
    for (ref, session_id, mark), idx in marks.items():
        if isinstance(ref, bytes) and isinstance(session_id, str) and mark is not None:
            right = keys.mark(ref, session_id)
            if right is not None and right != mark:
                what = "its event's session or person was edited: the leaf has another one's mark"
                findings.add("row", f"entry {idx}", what)


def check_loose(reader: Persons, loose: Mapping[int, str], start: int, findings: Findings, *, pruned: bool) -> None:
    """Entries about a session, and no event: whether their session finds them, no other. `loose` are their marks. Where
    entries were `pruned`, what had the same mark may be gone.
    """
    unfound, marks_of = dict(loose), dict[Any, set[Any]]()
    for idx, session_id, there in reader.loose(start):
        unfound.pop(idx, None)
        if session_id not in marks_of:
            marks_of[session_id] = reader.marks_of(session_id)
        marks = marks_of[session_id]
        gone = pruned and (not there or None in marks)
        if loose.get(idx) is None or (loose[idx] not in marks and not gone):
            findings.add("finder", f"entry {idx}", "is found by a session that is not the one its leaf has a mark of")
    live = reader.marked(set(unfound.values())) if unfound else ()
    for idx, mark in unfound.items():
        if mark in live:
            findings.add("finder", f"entry {idx}", "is not found by the session that its leaf has a mark of")


def _side_by_side(
    refs: Iterator[Any], states: Iterator[tuple[bytes, State, State]]
) -> Iterator[tuple[Any, tuple[State, State]]]:
    """Every person of the record with the keys there are. Both ascend."""
    ahead = next(states, None)
    for ref in refs:
        while ahead is not None and isinstance(ref, bytes) and ahead[0] < ref:
            ahead = next(states, None)
        if ahead is not None and ahead[0] == ref:
            yield ref, ahead[1:]
        else:
            yield ref, ("none", "none")
