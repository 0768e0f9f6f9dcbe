"""Reading the record: searches over its entries, and the tree that stands on them."""

from __future__ import annotations

import base64
import json
import sqlite3

from receiver.audit.search import parse
from receiver.contract import JsonObject
from receiver.store.documents import iso
from receiver.store.port import Page
from receiver.store.sqlite.rows import Rows, cursor_of, page_size, paged
from receiver.store.sqlite.search import build
from receiver.store.sqlite.tiles import Tiles

_ENTRY_COLUMNS = (
    "e.idx, e.at, e.kind, e.actor, e.event_id, e.action_id,"
    " (SELECT session_id FROM event WHERE event.event_id = e.event_id) AS session_id,"
    " e.type, e.rule, e.outcome, e.policy_sha256, e.source"
)
_ENTRY = f"SELECT {_ENTRY_COLUMNS}, e.leaf FROM entry AS e WHERE e.idx = ?"  # noqa: S608  # constants
_SIZE = "SELECT max(idx) FROM entry"
_CHECKPOINT = "SELECT note FROM checkpoint WHERE size >= ? ORDER BY size DESC LIMIT 1"


class Record(Rows):
    """Entries and proofs."""

    def audit(self, query: str = "", after: str | None = None, limit: int = 50, *, ascending: bool = False) -> Page:
        """Entries that fit a search (`receiver/audit/search.py`), newest first unless asked otherwise.

        Raises Unusable for a search or a cursor that is none.
        """
        pieces, size = build(parse(query)), page_size(limit)
        if after is not None:
            pieces.where(f"{pieces.index} {'>' if ascending else '<'} ?", cursor_of(after))
        tail = f" ORDER BY {pieces.index} {'ASC' if ascending else 'DESC'} LIMIT ?"
        rows = self._all(pieces.sql(_ENTRY_COLUMNS, tail), *pieces.values, size + 1)
        return paged(rows, size, "idx", entry_item)

    def audit_count(self, query: str = "") -> int:
        """How many entries fit a search. Raises Unusable for a search that is none."""
        pieces = build(parse(query))
        return int(self._all(pieces.sql("count(*)"), *pieces.values)[0][0])

    def audit_entry(self, idx: int) -> JsonObject | None:
        """One entry with its leaf bytes (base64), and the leaf as an object."""
        if idx >= 1 << 63:
            return None
        row = self._one(_ENTRY, idx)
        if row is None:
            return None
        leaf: bytes = row["leaf"]
        return {**entry_item(row), "leaf": base64.b64encode(leaf).decode(), "content": json.loads(leaf)}

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


def entry_item(row: sqlite3.Row) -> JsonObject:
    """An entry as lists show it."""
    document: JsonObject = {"idx": row["idx"], "at": iso(row["at"])}
    names = (
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
    return document | {name: row[name] for name in names}
