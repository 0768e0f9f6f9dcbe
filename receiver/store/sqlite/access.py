"""Who read what was sealed: an entry of kind `access` for each request that was answered with it."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.audit.leaf import Leaf
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.unit import Unit


class Access(Unit):
    """The writes about readings."""

    def add_access(
        self,
        what: str,
        actor: str,
        at: int,
        event_id: str | None = None,
        session_id: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Append an entry about a reading of `what` (such as `body`), found by its event or session. Raises NotFound
        for an event that is not there.

        `facts` stand in the leaf for good, so they name no person; neither does the leaf name the session, but as the
        salted hash that all entries of the session carry.
        """
        leaf: Leaf = {"at": at, "kind": "access", "actor": actor, "outcome": "read"}
        leaf["facts"] = {"what": what, **(facts or {})}
        if event_id is not None:
            self._append(self._event(event_id), leaf)
        elif session_id is not None:
            self._append_of_session(leaf, storable(session_id))
        else:
            self._ledger.append(leaf)
