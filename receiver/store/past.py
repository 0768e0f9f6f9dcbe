"""A store's events as one stream, in the order of arrival; whatever their number, few are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from receiver.policy.recall import PastEvent
from receiver.store.port import Store

CHUNK: Final = 50  # events read in one view: the write-ahead log can be tidied between, and little memory is held


def past_events(
    store: Store,
    since: int,
    until: int,
    *,
    raw: bool = True,
    decided: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Iterator[PastEvent]:
    """The events received from `since` to before `until` (Unix milliseconds). Without `raw` or `decided`, payloads or
    decisions are not unsealed. `progress` is told how many more were read. Raises StoreUnavailable.
    """
    after = 0
    while True:
        with store.read() as reader:
            chunk = reader.past(after, CHUNK, since, until, raw=raw, decided=decided)
        yield from chunk
        if progress is not None:
            progress(len(chunk))
        if len(chunk) < CHUNK:
            return
        after = chunk[-1].n
