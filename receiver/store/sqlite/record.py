"""Reading the record: searches over its entries, counts of them, and the tree that stands on them."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from receiver.audit.search import Search, parse
from receiver.contract import JsonObject
from receiver.store.documents import iso
from receiver.store.shapes import Page
from receiver.store.sqlite.clear import Fingerprint, as_stored
from receiver.store.sqlite.counting import count
from receiver.store.sqlite.narrowing import NEVER
from receiver.store.sqlite.rows import Rows, cursor_of, page_size, paged
from receiver.store.sqlite.search import Query, build
from receiver.store.sqlite.tiles import Tiles

_NAMES: Final = (  # in the order of the columns
    "idx",
    "at",
    "kind",
    "actor",
    "event_id",
    "action_id",
    "session_id",
    "type",
    "rule",
    "outcome",
    "policy_sha256",
    "source",
)
_ENTRY_COLUMNS = (
    "e.idx, e.at, e.kind, e.actor, e.event_id, e.action_id,"
    " (SELECT session_id FROM event WHERE event.event_id = coalesce(e.event_id, CASE WHEN"
    " json_valid(CAST(e.leaf AS TEXT)) THEN json_extract(CAST(e.leaf AS TEXT), '$.facts.newest_event') END))"
    " AS session_id,"
    " e.type, e.rule, e.outcome, e.policy_sha256, e.source"
)
_ENTRY = f"SELECT {_ENTRY_COLUMNS}, e.leaf FROM entry AS e WHERE e.idx = ?"  # noqa: S608  # constants
_SIZE = "SELECT max(idx) FROM entry"
_CHECKPOINT = "SELECT note FROM checkpoint WHERE size >= ? ORDER BY size DESC LIMIT 1"
_POLICIES = "SELECT sha256 FROM policy WHERE sha256 >= ? AND sha256 < ? || 'g' ORDER BY sha256 LIMIT 5"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


class Record(Rows):
    """Entries and proofs. `subject` gives what the database calls a person; None for one that it does not know."""

    def __init__(
        self, connection: sqlite3.Connection, subject: Callable[[str], bytes | None], fingerprint: Fingerprint
    ) -> None:
        super().__init__(connection)
        self._subject = subject
        self._fingerprint = fingerprint

    def audit(
        self,
        query: str | Search = "",
        after: str | None = None,
        limit: int = 50,
        *,
        ascending: bool = False,
        whole: bool = False,
    ) -> Page:
        """Entries that fit a search (`receiver/audit/search.py`), newest first unless asked otherwise; `whole` ones
        have the content of their leaf.

        Raises Unusable for a search or a cursor that is none.
        """
        size, span = page_size(limit), (0, NEVER)
        if after is not None:
            cursor = cursor_of(after)
            span = (cursor + 1, NEVER) if ascending else (0, cursor - 1)
        found = self._query(query, span)
        columns, item = (f"{_ENTRY_COLUMNS}, e.leaf", _whole_item) if whole else (_ENTRY_COLUMNS, entry_item)
        rows = found.page(columns, size + 1, self._all, self._stream, ascending=ascending)
        return paged(rows, size, "idx", item)

    def audit_count(self, query: str | Search = "", most: int | None = None) -> int:
        """How many entries fit a search; at most `most`, where counting stops. Raises Unusable for a search that is
        none.
        """
        counts, whole = self.audit_counts(query, (), most)
        number = counts[0]["entries"] if counts else 0
        assert isinstance(number, int)
        return number if whole or most is None else most

    def audit_counts(
        self, query: str | Search, by: Sequence[str], most: int | None = None
    ) -> tuple[list[JsonObject], bool]:
        """How many entries fit a search, by `day` (UTC), `outcome`, `tag`, `rule`, `kind` or `source`, or several of
        them; and whether all were counted, or the newest `most` only. Raises Unusable.
        """
        search = self._search(query)
        return count(search, by, self._all, lambda: self._query(search, (0, NEVER)), most)

    def audit_entry(self, idx: int) -> JsonObject | None:
        """One entry with its leaf bytes (base64), and the leaf as an object."""
        if idx >= 1 << 63:
            return None
        row = self._one(_ENTRY, idx)
        if row is None:
            return None
        leaf: bytes = row["leaf"]
        return {**entry_item(row), "leaf": base64.b64encode(leaf).decode(), "content": json.loads(leaf)}

    def policies_like(self, prefix: str) -> list[str]:
        """The hashes of policy versions that begin so, at most five."""
        return [row[0] for row in self._all(_POLICIES, prefix, prefix)]

    def tables(self) -> list[str]:
        """The names of all tables, which are nobody's interface: the views are."""
        return [row[0] for row in self._all(_TABLES)]

    def tree_size(self) -> int:
        """How many entries the record has, and so how many leaves its tree."""
        last = self._all(_SIZE)[0][0]
        return 0 if last is None else int(last) + 1

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile of the tree (`receiver/audit/tree.py`); empty for one that is not there."""
        return Tiles(self._connection)(level, number)

    def checkpoint(self, at_least: int = 0) -> str | None:
        """The newest signed note; None where none covers that many entries yet."""
        rows = self._all(_CHECKPOINT, at_least)
        return str(rows[0][0]) if rows else None

    def _stream(self, sql: str, *values: str | int | bytes) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _query(self, query: str | Search, span: tuple[int, int]) -> Query:
        return build(self._search(query), self._all, self._subject, span)

    def _search(self, query: str | Search) -> Search:
        return as_stored(parse(query) if isinstance(query, str) else query, self._fingerprint)


def entry_item(row: sqlite3.Row) -> JsonObject:
    """An entry as lists show it."""
    document: JsonObject = dict(zip(_NAMES, row))  # noqa: B905  # the leaf may follow; twice as fast as name by name
    document["at"] = iso(row[1])
    return document


def _whole_item(row: sqlite3.Row) -> JsonObject:
    return {**entry_item(row), "content": json.loads(row["leaf"])}
