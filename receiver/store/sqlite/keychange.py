"""Writes about keys: the master key that wraps all others, and the key that checkpoints are signed with."""

from __future__ import annotations

from receiver.audit.leaf import Leaf
from receiver.store.sqlite.unit import Unit

_NOTED = "INSERT OR IGNORE INTO meta VALUES ('signing_key', ?)"


class Keychange(Unit):
    """The writes of key events."""

    def rekey(self, master: bytes, actor: str, at: int, *, whole: bool = False) -> int:
        """Put the keys under another master key; gives of how many persons there are some. `whole`: wrap each anew.
        Nothing may fail after this in the same job.
        """
        leaf: Leaf = {"at": at, "kind": "key", "actor": actor, "outcome": "rotated", "facts": {"act": "rekey"}}
        self._ledger.append(leaf)
        return self._vault.rewrap(master, whole=whole)

    def note_signing_key(self, identity: str, actor: str, at: int) -> bool:
        """Have the record say from when on it is signed with this key; False if it says so already."""
        if self._execute(_NOTED, (identity,)).rowcount == 0:
            return False
        facts = {"act": "signing key", "key": identity}
        self._ledger.append({"at": at, "kind": "key", "actor": actor, "outcome": "made", "facts": facts})
        return True
