"""Before sealed contents leave: the entry that says who reads them. What cannot be recorded is not shown."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.web.auth import Caller
from receiver.wiring import System


async def leave_access(
    system: System,
    caller: Caller,
    what: str,
    *,
    event_id: str | None = None,
    session_id: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Record one request's reading; returns when the entry is on disk. Raises StoreUnavailable (the answer is 503)."""
    actor, at = f"token:{caller.name}", system.clock()
    await system.store.run(lambda tx: tx.add_access(what, actor, at, event_id, session_id, facts))
