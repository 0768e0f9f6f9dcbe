"""Who read what was sealed: an entry of kind `access` for each request that was answered with it."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.audit.leaf import Leaf
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.unit import Unit

_EVENT_OF_SESSION = "SELECT event_id FROM event WHERE session_id = ? ORDER BY n DESC LIMIT 1"


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
            self._of_session(leaf, storable(session_id))
        else:
            self._ledger.append(leaf)

    def _of_session(self, leaf: Leaf, session_id: str) -> None:
        found = self._execute(_EVENT_OF_SESSION, (session_id,)).fetchone()
        row = self._event(found[0]) if found else None
        if row is not None:
            leaf["source"] = row.source
            if row.session is not None:
                leaf["session"] = row.session
        # an erased person's session is looked up by nothing that this would leave behind
        self._ledger.append(leaf, session_id if row is not None and row.key is not None else None)
