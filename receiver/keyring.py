"""Keys that a vendor publishes, fetched when a delivery names one that is not known.

A stranger can name as many keys as they like, so the vendor is asked for new ones at most so many times a minute, one
question at a time, and a key that the vendor does not know is remembered as unknown for a while. A delivery under a key
that is known never waits for any of that. Known keys are asked for again now and then, in the background, since the
vendor may say that they expired: the delivery that finds a key old is still checked with what was known of it.
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
RETRIED_AFTER: Final = 60.0  # seconds until a known key is asked for again that no answer came for
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
        self._refresh_at: dict[str, float] = {}  # by each key that was fetched
        self._refreshing: dict[str, asyncio.Task[None]] = {}
        self._unknown: dict[str, float] = {}
        self._asked: list[float] = []
        self._turn = asyncio.Lock()

    async def prepare(self, kid: str) -> None:
        """Have the key in the book, if the vendor has it. Raises StoreUnavailable if it cannot be asked now: the
        sender should try again.
        """
        if kid in self._book.keys:
            self._refresh_soon(kid)
        elif not self._is_unknown(kid):
            async with self._turn:
                if kid not in self._book.keys and not self._is_unknown(kid):
                    await self._ask_first(kid)

    def _is_unknown(self, kid: str) -> bool:
        return self._unknown.get(kid, 0.0) > self._clock()

    async def _ask_first(self, kid: str) -> None:
        try:
            self._spend()
            await self._ask(kid)
        except (HookwardenError, ValueError) as trouble:
            log.warning("key of a source not fetched", why=type(trouble).__name__)
            raise StoreUnavailable("the sender's keys cannot be fetched now", _RETRY_AFTER) from None

    def _refresh_soon(self, kid: str) -> None:
        if kid not in self._given and kid not in self._refreshing and self._clock() >= self._refresh_at[kid]:
            self._refreshing[kid] = asyncio.create_task(self._refresh(kid), name="key refresh")

    async def _refresh(self, kid: str) -> None:
        """Not counted as a stranger's question: there are few known keys, and each is asked for once in a while."""
        try:
            async with self._turn:
                await self._ask(kid)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, what is known stays, and is asked for again
            log.warning("known key of a source not read again", why=type(trouble).__name__)
            self._refresh_at[kid] = self._clock() + RETRIED_AFTER
        finally:
            del self._refreshing[kid]

    async def _ask(self, kid: str) -> None:
        """Raises HookwardenError, ValueError."""
        jwk = await self._fetch(kid)
        if jwk is None:
            self._book.keys.pop(kid, None)
            self._refresh_at.pop(kid, None)
            self._forget_oldest()
            self._unknown[kid] = self._clock() + UNKNOWN_FOR
        else:
            self._book.keys[kid], self._refresh_at[kid] = read_jwk(jwk), self._clock() + REFRESHED_AFTER

    def _spend(self) -> None:
        now = self._clock()
        self._asked = [at for at in self._asked if now - at < 60.0]
        if len(self._asked) >= ASKED_PER_MINUTE:
            raise StoreUnavailable("too many keys were asked for", _RETRY_AFTER)
        self._asked.append(now)

    def _forget_oldest(self) -> None:
        if len(self._unknown) >= _MAX_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
