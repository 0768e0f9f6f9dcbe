"""The leaves themselves, for those who hand out proofs."""

from __future__ import annotations

from receiver.store.sqlite.evidence import SqliteEvidence
from receiver.store.sqlite.rows import Rows

_LEAF_OF = "SELECT leaf FROM entry WHERE idx = ?"


class Leaves(Rows):
    """The part of a reader that gives leaves as they stand."""

    def leaf(self, idx: int) -> bytes | None:
        """The bytes of an entry's leaf; None where there is none."""
        row = self._one(_LEAF_OF, idx) if 0 <= idx < 1 << 63 else None
        return None if row is None else bytes(row[0])

    def first_idx(self) -> int:
        """From which entry on the record is kept: what was before was pruned."""
        return SqliteEvidence(self._connection).first_idx()
