"""Before sealed contents are printed: the entry that says who reads them. What cannot be recorded is not shown."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.cli.options import actor
from receiver.store.port import Store


def leave_access(
    store: Store,
    what: str,
    *,
    event_id: str | None = None,
    session_id: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Record one command's reading; returns when the entry is on disk. Raises StoreUnavailable."""
    from receiver.wiring import now_ms

    who, at = actor(), now_ms()
    store.submit(lambda tx: tx.add_access(what, who, at, event_id, session_id, facts)).result()
