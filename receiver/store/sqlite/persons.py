"""Reading whose an event is, and which session it is of, for `receiver/audit/persons.py` and `absent.py`."""

# ruff: noqa: S608  # statements made of constants

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Final

_MARK = "CASE WHEN json_valid(CAST(x.leaf AS TEXT)) THEN json_extract(CAST(x.leaf AS TEXT), '$.session') END"
_PERSONS = "SELECT DISTINCT subject_ref FROM event ORDER BY subject_ref"
_SEALED = "coalesce(body, document) IS NOT NULL"
_HAS_CONTENTS = f"SELECT EXISTS (SELECT 1 FROM event JOIN payload USING (n) WHERE subject_ref = ? AND {_SEALED})"
_OF_PERSON = (
    "SELECT EXISTS (SELECT 1 FROM event AS e LEFT JOIN payload AS p USING (n) WHERE e.subject_ref = ? AND ({}))"
)
# What cannot be read, or should not be there, without a key: the personal one, and the one for biometric data.
_KEPT: Final = {
    "personal": _OF_PERSON.format(
        f"{_SEALED} OR e.session_id IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM decision AS d WHERE d.event_n = e.n AND d.document IS NOT NULL)"
        " OR EXISTS (SELECT 1 FROM action AS a WHERE a.event_n = e.n AND a.params IS NOT NULL)"
    ),
    "biometric": _OF_PERSON.format(
        "p.parted AND coalesce(p.body, p.biometric) IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM action AS a WHERE a.event_n = e.n AND a.biometric AND a.params IS NOT NULL)"
    ),
}
_OF_EVENT = (
    "SELECT y.idx, y.kind, y.action_id, y.outcome, CAST(y.leaf AS BLOB) FROM entry AS x JOIN entry AS y ON"
    " y.event_id = x.event_id WHERE x.idx = ? ORDER BY y.idx"
)
# Entries about a session, and no event.
_NEWEST = (
    "CASE WHEN json_valid(CAST(x.leaf AS TEXT)) THEN json_extract(CAST(x.leaf AS TEXT), '$.facts.newest_event') END"
)
_LOOSE = (
    f"SELECT r.idx, r.session_id, EXISTS (SELECT 1 FROM event AS e WHERE e.event_id = {_NEWEST})"
    " FROM session_ref AS r CROSS JOIN entry AS x ON x.idx = r.idx WHERE r.idx >= ? AND x.event_id IS NULL"
)
_MARKS_OF = (  # by any entry of each event: the first of them may have been pruned
    f"SELECT DISTINCT (SELECT max({_MARK}) FROM entry AS x WHERE x.event_id = e.event_id) FROM event AS e"
    " WHERE e.session_id = ?"
)
_MARKED = (
    f"SELECT DISTINCT {_MARK} FROM entry AS x JOIN event AS e ON e.event_id = x.event_id WHERE x.kind = 'event'"
    f" AND e.session_id IS NOT NULL AND {_MARK} IN (SELECT value FROM json_each(?))"
)


class PersonsBeside:
    """The part of a view that leads to persons and their sessions."""

    _execute: Any

    def persons(self) -> Iterator[Any]:
        """The refs of all persons who have events, ascending."""
        return (ref for (ref,) in self._execute(_PERSONS))

    def has_contents(self, ref: bytes) -> bool:
        """Whether anything of a person's deliveries is still kept."""
        return bool(self._execute(_HAS_CONTENTS, (ref,)).fetchone()[0])

    def needs_key(self, ref: bytes, kind: str) -> bool:
        """Whether anything is kept that the person's `personal` or `biometric` key is needed for."""
        return bool(self._execute(_KEPT[kind], (ref,)).fetchone()[0])

    def of_event(self, idx: int) -> Iterator[tuple[int, str, Any, Any, bytes]]:
        """All entries of the event that an entry is about, ascending: index, kind, action, outcome, leaf."""
        found: Iterator[tuple[int, str, Any, Any, bytes]] = self._execute(_OF_EVENT, (idx,))
        return found

    def loose(self, start: int) -> Iterator[tuple[int, Any, int]]:
        """Which entries from `start` on that are about no event a session finds: entry, session, and whether the event
        is there that was the session's newest then.
        """
        found: Iterator[tuple[int, Any, int]] = self._execute(_LOOSE, (start,))
        return found

    def marks_of(self, session_id: Any) -> set[Any]:
        """How a session stands in the leaves of its events; with None where one has no leaf left that says so."""
        return {mark for (mark,) in self._execute(_MARKS_OF, (session_id,))}

    def marked(self, marks: Collection[str]) -> set[Any]:
        """Those of these marks that events have which still have their session."""
        return {mark for (mark,) in self._execute(_MARKED, (json.dumps([*marks]),))}
