"""Keeping no longer than `audit.retention` says: by hand, or once a day beside everything else that a server does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog

from receiver.contract import JsonObject
from receiver.errors import StoreUnavailable
from receiver.log import place_of
from receiver.settings import RetentionSettings
from receiver.store.documents import iso
from receiver.store.port import Store
from receiver.store.shapes import Extent

DAY: Final = 86_400.0  # seconds between two runs of a server
CONTENTS_AT_ONCE: Final = 40  # events in one job: a delivery that comes meanwhile waits for the whole of it
TILES_AT_ONCE: Final = 1  # of 256 entries, in one job
PAUSE: Final = 0.01  # seconds between two jobs, for deliveries
SCRUB_SECONDS: Final = 10.0  # for how long readers that are in the way are waited for

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """Before when, in Unix ms, what goes; None keeps it. `biometric` and `pii` are sealed contents, `entry` entries."""

    biometric: int | None
    pii: int | None
    entry: int | None

    @classmethod
    def of(cls, settings: RetentionSettings, now: int) -> Limits:
        """What the settings say today."""

        def before(seconds: float) -> int | None:
            return now - round(1000 * seconds) if seconds else None

        return cls(before(settings.blob_biometric), before(settings.blob_pii), before(settings.entry))

    def moved(self, before: int) -> Limits:
        """The same classes, all with this time."""
        kept = (None if limit is None else before for limit in (self.biometric, self.pii, self.entry))
        return Limits(*kept)

    def contents(self) -> Iterator[tuple[str, Extent, int]]:
        """The classes of contents that have a limit: name in the settings, extent, time."""
        if self.biometric is not None:
            yield "blob.biometric", "biometric", self.biometric
        if self.pii is not None:
            yield "blob.pii", "all", self.pii


def forecast(store: Store, limits: Limits, actor: str, now: int) -> list[JsonObject]:
    """What pruning would do: for each class, before when, how many events it would empty and how many it would pass
    over, or which entries it would drop.
    """
    rows: list[JsonObject] = []
    for name, extent, before in limits.contents():
        with store.read() as reader:
            found = reader.forecast(extent, before)
        rows.append({"class": name, "before": iso(before), "events": found.events, "kept_events": found.kept})
    if limits.entry is not None:
        limit = limits.entry
        store.submit(lambda tx: tx.ask_checkpoint()).result()  # as pruning does
        with store.read() as reader:
            first, stop = reader.prunable(limit)
        rows.append({"class": "entry", "before": iso(limit), "from": first, "to": stop})
    return rows


def prune(store: Store, limits: Limits, actor: str, clock: Callable[[], int]) -> list[JsonObject]:
    """Prune, and say what went. Intake goes on between two jobs. Raises StoreUnavailable.

    `scrubbed` False: it is gone, but readers kept its old bytes in the logs of the files; the next pruning tries to cut
    them again.
    """
    rows = [_contents(store, name, extent, before, actor, clock) for name, extent, before in limits.contents()]
    if limits.entry is not None:
        rows.append(_entries(store, limits.entry, actor, clock))
    scrubbed = store.scrub(SCRUB_SECONDS)
    return [row | {"scrubbed": scrubbed} for row in rows]


def _contents(store: Store, name: str, extent: Extent, before: int, actor: str, clock: Callable[[], int]) -> JsonObject:
    with store.read() as reader:
        after: int | None = reader.retained(extent, before).after
    contents = keys = passed = 0
    while after is not None:
        since = after
        done = store.submit(
            lambda tx, since=since: tx.prune_contents(extent, before, since, CONTENTS_AT_ONCE, actor, clock())  # type: ignore[misc]  # the loop's value
        ).result()
        after, contents, keys, passed = done.last, contents + done.contents, keys + done.keys, passed + done.passed
        time.sleep(PAUSE)
    return {"class": name, "before": iso(before), "contents": contents, "keys": keys, "kept_events": passed}


def _entries(store: Store, before: int, actor: str, clock: Callable[[], int]) -> JsonObject:
    store.submit(lambda tx: tx.ask_checkpoint()).result()  # what is not signed stays
    first: int | None = None
    events = keys = 0
    while True:
        done = store.submit(lambda tx: tx.prune_entries(before, TILES_AT_ONCE, actor, clock())).result()
        first = done.first if first is None else first
        events, keys = events + done.events, keys + done.keys
        if done.stop == done.first:
            return {
                "class": "entry",
                "before": iso(before),
                "from": first,
                "to": done.stop,
                "events": events,
                "keys": keys,
            }
        time.sleep(PAUSE)


class Pruner:
    """Prunes once a day, from the start on. Does nothing where nothing has a limit. `interval` in seconds."""

    def __init__(
        self, store: Store, settings: RetentionSettings, clock: Callable[[], int], interval: float = DAY
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._interval = interval

    @property
    def idle(self) -> bool:
        """Whether there is nothing that it could ever do."""
        return Limits.of(self._settings, 0) == Limits(None, None, None)

    async def run(self) -> None:
        """Prune for ever. Trouble is logged, and tried again the next time."""
        while not self.idle:
            try:
                rows = await asyncio.to_thread(self._prune)
                _log.info("pruned", what=rows)
            except StoreUnavailable as fault:
                _log.warning("nothing more was pruned today", fault=str(fault))
            except Exception as fault:  # noqa: BLE001 - whatever it is, the next run comes
                _log.error("nothing more was pruned today", kind=type(fault).__name__, at=place_of(fault))
            await asyncio.sleep(self._interval)

    def _prune(self) -> list[JsonObject]:
        return prune(self._store, Limits.of(self._settings, self._clock()), "retention", self._clock)
