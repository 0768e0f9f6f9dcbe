"""Legal holds: persons whose data must stay until a court, or whoever ordered it, is done with it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import Final

from receiver.audit.leaf import Leaf
from receiver.contract import JsonObject
from receiver.errors import Conflict
from receiver.store.documents import dump, iso, iso_or_none
from receiver.store.sqlite.places import hold_place
from receiver.store.sqlite.retention import Retention
from receiver.store.sqlite.unit import unsealed_json
from receiver.store.vault import Vault

_STANDING = "SELECT n, at FROM hold WHERE ref = ? AND released_at IS NULL"
_ADD = "INSERT INTO hold (ref, at, actor) VALUES (?, ?, ?)"
_SET_REASON = "UPDATE hold SET reason = ? WHERE n = ?"
_RELEASE = "UPDATE hold SET released_at = ?, released_by = ? WHERE n = ?"
ALL_HOLDS: Final = (
    "SELECT n, ref, at, actor, reason, released_at, released_by, (SELECT session_id FROM event WHERE subject_ref ="
    " hold.ref AND session_id IS NOT NULL ORDER BY event.n DESC LIMIT 1) AS session_id FROM hold ORDER BY n DESC"
)


class Holds(Retention):
    """The writes of legal holds."""

    def hold(self, ref: bytes, actor: str, at: int, reason: str) -> int:
        """Put a hold on a person; gives its number. Raises Conflict where one stands already, or nothing is kept."""
        standing, key = self._execute(_STANDING, (ref,)).fetchone(), self._vault.of_ref(ref)
        if standing is not None:
            raise Conflict(f"legal hold {standing[0]} of {iso(standing[1])} stands on this person already")
        if key is None:
            raise Conflict("nothing is kept of this person that could be held")
        number = self._execute(_ADD, (ref, at, actor)).lastrowid
        assert number is not None
        sealed = key.seal(dump(reason), hold_place(number))
        self._execute(_SET_REASON, (sealed, number))
        leaf = self._about("hold", "held", ref, number, actor, at)
        leaf["body"] = {"reason": hashlib.sha256(sealed).hexdigest()}
        self._ledger.append(leaf)
        return number

    def release(self, ref: bytes, actor: str, at: int) -> int:
        """End the hold on a person; gives its number. Raises Conflict where none stands."""
        standing = self._execute(_STANDING, (ref,)).fetchone()
        if standing is None:
            raise Conflict("no legal hold stands on this person")
        number = int(standing[0])
        self._execute(_RELEASE, (at, actor, number))
        self._ledger.append(self._about("release", "released", ref, number, actor, at))
        return number

    @staticmethod
    def _about(kind: str, outcome: str, ref: bytes, number: int, actor: str, at: int) -> Leaf:
        leaf: Leaf = {"at": at, "kind": kind, "actor": actor, "outcome": outcome}
        leaf["facts"] = {"subject": ref.hex(), "hold": str(number)}
        return leaf


def listed(rows: Iterable[sqlite3.Row], vault: Vault) -> list[JsonObject]:
    """Holds as lists show them, each with the newest session of its person, by which people know it."""
    holds: list[JsonObject] = []
    for row in rows:
        reason = unsealed_json(vault.readable(row["ref"]), row["reason"], hold_place(row["n"]))
        item: JsonObject = {"hold": row["n"], "subject_ref": row["ref"].hex(), "session_id": row["session_id"]}
        item["at"] = iso(row["at"])
        item |= {"actor": row["actor"], "reason": reason}
        item |= {"released_at": iso_or_none(row["released_at"]), "released_by": row["released_by"]}
        holds.append(item)
    return holds
