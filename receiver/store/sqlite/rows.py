"""What every reading of the store shares: rows, pages, cursors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from receiver.contract import JsonObject
from receiver.errors import Unusable
from receiver.store.shapes import Page
from receiver.store.sqlite.text import storable

MAX_LIMIT: Final = 500  # rows of a page


class Rows:
    """Reads over one connection, in a read transaction that its owner begins and ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _page(
        self,
        select: str,
        number: str,
        only: Mapping[str, str | None],
        after: str | None,
        limit: int,
        item: Callable[[sqlite3.Row], JsonObject],
    ) -> Page:
        """One page of a list; `only` maps conditions to the value for all their places."""
        conditions, values = [], list[str | int]()
        for condition, value in only.items():
            if value is not None:
                conditions.append(condition)
                values += [storable(value)] * condition.count("?")
        if after is not None:
            conditions.append(f"{number} < ?")
            values.append(cursor_of(after))
        size = page_size(limit)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = self._all(f"{select}{where} ORDER BY {number} DESC LIMIT ?", *values, size + 1)
        return paged(rows, size, "n", item)

    def _all(self, sql: str, *values: str | int | bytes) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def _one(self, sql: str, value: str | int) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(
            sql, (storable(value) if isinstance(value, str) else value,)
        ).fetchone()
        return row


def page_size(limit: int) -> int:
    """How many rows a page may have."""
    return max(1, min(limit, MAX_LIMIT))


def cursor_of(after: str) -> int:
    """The number in a cursor. Raises Unusable."""
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Unusable("this is not a cursor; pass `next` of the page before, as it was")
    return int(after)


def paged(rows: Sequence[sqlite3.Row], size: int, number: str, item: Callable[[sqlite3.Row], JsonObject]) -> Page:
    """The page of rows, of which one more was asked for than it holds."""
    items = [item(row) for row in rows[:size]]
    return Page(items, str(rows[size - 1][number]) if len(rows) > size else None)
