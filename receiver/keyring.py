"""Keys that a vendor publishes, fetched when a delivery names one that is not known.

A stranger can name as many keys as they like, so the vendor is asked at most so many times a minute, one question at a
time, and a key that the vendor does not know is remembered as unknown for a while. A delivery under a key that is known
never waits for any of that. Known keys are asked for again now and then, since the vendor may say that they expired.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from receiver.contract import JsonObject
from receiver.errors import HookwardenError, StoreUnavailable
from receiver.signatures.jwt_es256 import KeyBook, read_jwk

Fetch: TypeAlias = Callable[[str], Awaitable[JsonObject | None]]
"""The key of an id as a JWK, None if the vendor has none. Raises HookwardenError where no answer came."""

ASKED_PER_MINUTE: Final = 6
REFRESHED_AFTER: Final = 3600.0  # seconds
UNKNOWN_FOR: Final = 300.0  # seconds that a vendor's no is believed
_MAX_UNKNOWN: Final = 1000
_RETRY_AFTER: Final = 30  # seconds that the sender is asked to wait

log = structlog.get_logger()


class KeyRing:
    """Fills the book of one source. `given` are the keys of the configuration, which are never asked for."""

    def __init__(self, book: KeyBook, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._book = book
        self._fetch = fetch
        self._clock = clock
        self._given = frozenset(book.keys)
        self._read_at: dict[str, float] = {}
        self._unknown: dict[str, float] = {}
        self._asked: list[float] = []
        self._turn = asyncio.Lock()

    async def prepare(self, kid: str) -> None:
        """Have the key in the book, if the vendor has it. Raises StoreUnavailable if it cannot be asked now: the
        sender should try again.
        """
        if not self._wanted(kid) or (kid in self._book.keys and self._turn.locked()):
            return
        async with self._turn:
            if self._wanted(kid):
                await self._ask(kid)

    def _wanted(self, kid: str) -> bool:
        if kid in self._given or self._unknown.get(kid, 0.0) > self._clock():
            return False
        read_at = self._read_at.get(kid)
        return read_at is None or self._clock() - read_at >= REFRESHED_AFTER

    async def _ask(self, kid: str) -> None:
        try:
            self._spend()
            jwk = await self._fetch(kid)
            key = None if jwk is None else read_jwk(jwk)
        except (HookwardenError, ValueError) as trouble:
            log.warning("key of a source not fetched", why=type(trouble).__name__)
            if kid not in self._book.keys:
                raise StoreUnavailable("the sender's keys cannot be fetched now", _RETRY_AFTER) from None
            return
        if key is None:
            self._book.keys.pop(kid, None)
            self._read_at.pop(kid, None)
            self._forget_oldest()
            self._unknown[kid] = self._clock() + UNKNOWN_FOR
        else:
            self._book.keys[kid], self._read_at[kid] = key, self._clock()

    def _spend(self) -> None:
        now = self._clock()
        self._asked = [at for at in self._asked if now - at < 60.0]
        if len(self._asked) >= ASKED_PER_MINUTE:
            raise StoreUnavailable("too many keys were asked for", _RETRY_AFTER)
        self._asked.append(now)

    def _forget_oldest(self) -> None:
        if len(self._unknown) >= _MAX_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
