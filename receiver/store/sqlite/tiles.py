"""Where the tiles of the tree lie: the table `tile`. What they mean is told in `receiver/audit/tree.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import islice
from typing import Final

from receiver.audit.tree import grow, leaf_hash, tree_root, unfinished

_TILE = "SELECT hashes FROM tile WHERE level = ? AND n = ?"
_PUT = "INSERT INTO tile VALUES (?, ?, ?) ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes"
_LEAVES = "SELECT leaf FROM entry ORDER BY idx"
_FILLED_AT_ONCE: Final = 65_536  # leaves


class Tiles:
    """The tiles as one connection sees them; callable as `receiver.audit.tree` asks for them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __call__(self, level: int, number: int) -> bytes:
        """The hashes of a tile; empty for one that is not there."""
        row = self._connection.execute(_TILE, (level, number)).fetchone()
        return b"" if row is None else bytes(row[0])

    def append(self, size: int, hashes: Sequence[bytes]) -> None:
        """Add leaf hashes to a tree of `size`. Raises TreeError where the tiles are not those of such a tree."""
        last = {level: self(level, number) for level, number in unfinished(size)}
        changed = [(level, number, tile) for (level, number), tile in grow(size, hashes, last)]
        self._connection.executemany(_PUT, changed)

    def root(self, size: int) -> bytes:
        """The root of the tree of the first `size` entries. Raises TreeError."""
        return tree_root(size, self)


def fill(connection: sqlite3.Connection) -> None:
    """Build the tree of a record that was begun before there was one."""
    tiles, size = Tiles(connection), 0
    leaves = connection.execute(_LEAVES)
    while hashes := [leaf_hash(leaf) for (leaf,) in islice(leaves, _FILLED_AT_ONCE)]:
        tiles.append(size, hashes)
        size += len(hashes)
