"""The one client for vendors' APIs: what an answer means for us is decided here, once, for every vendor.

| answer                                                   | becomes                                           |
|----------------------------------------------------------|---------------------------------------------------|
| 2xx, readable                                            | Answer                                            |
| 2xx, oversized, broken off, wrongly encoded or not JSON  | AnswerUnreadable: the effect may have happened    |
| one whose head is broken, to a call that writes          | the same: it may have been a 2xx                  |
| none, timeout, 5xx, 408, 429; a broken head otherwise    | VendorUnavailable, with the wait that was asked   |
| 402, and 401, 403 unless they are the operation's own no | VendorWaiting: the vendor is parked (`gate.py`)   |
| 401, 403 in words that our key is no good                | the same, whosever no the status is               |
| any 4xx in words that credits are used up                | the same, unless the call itself held such words  |
| other 4xx, and 3xx: redirects are never followed         | VendorRefused                                     |

Paths go out as given: at Didit the trailing slash is part of the path, and the redirect that cures a missing one may
drop the key or turn POST into GET.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit
from weakref import WeakSet

from handlers.answers import Answer, read_json, refusal, retry_after
from handlers.exchange import Exchange, exchange, open_client
from handlers.gate import PROBE_EVERY, Gate
from handlers.rates import WINDOW, Rate
from receiver.contract import JsonObject
from receiver.errors import AnswerUnreadable, VendorError, VendorRefused, VendorUnavailable, VendorWaiting

MAX_ANSWER = 4 * 1024 * 1024
CONCURRENCY = 16
_OF_THE_KEY = re.compile(r"\bcredentials\b|\bauthenticat(ed|ion)\b|\b(api|access)[ _-]?(key|token)\b", re.IGNORECASE)
_OF_CREDITS = re.compile(
    r"\b(no|enough|insufficient|out of|without|lack of) (\w+ )?credits\b"
    r"|\bcredits (\w+ ){0,3}(used up|exhausted|depleted|insufficient|run out|ran out)\b",
    re.IGNORECASE,
)

Upload = tuple[str, bytes, str]
"""A file for a multipart form: name, content, media type."""


def segment(text: str) -> str:
    """One path segment, percent-encoded whole. Raises VendorRefused for what would change the path's shape."""
    if text in ("", ".", "..") or len(text) > 300 or not text.isprintable():
        raise VendorRefused("an identifier in the event cannot stand in a path")
    return quote(text, safe="")


class VendorClient:
    """Calls one vendor's API. `headers` hold the key; they go to `base_url` and nowhere else, and into no text.

    Raises ValueError for header values that HTTP cannot carry (anything but printable ASCII), without naming them.
    `timeout` and `connect_timeout` are seconds, `max_answer` bytes (decoded). `budgets` are the calls a minute that the
    vendor documents, by group: `read`, `write`, or one that a call names. `clock` is Unix time, `monotonic` any
    steady one; both in seconds. `tls` replaces the system's idea of whom to trust.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        max_answer: int = MAX_ANSWER,
        concurrency: int = CONCURRENCY,
        budgets: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise ValueError(f"{name}: a key holds characters that an HTTP header cannot carry")
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._max_answer = max_answer
        self._clock = clock
        self._monotonic = monotonic
        self._gate = Gate(name, monotonic, budgets)
        self._slots = asyncio.Semaphore(concurrency)
        self._turns: dict[Rate, deque[float]] = {}  # when those who were told to wait may come
        self._begun: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._secrets = tuple(value for value in headers.values() if len(value) >= 8)
        self._http = open_client(
            headers,
            connect_timeout=connect_timeout,
            timeout=timeout,
            connections=concurrency,
            keep_alive=True,
            tls=tls,
        )

    def __repr__(self) -> str:
        return f"VendorClient({self.name!r}, {urlsplit(self._base_url).hostname!r})"

    @property
    def parked(self) -> bool:
        """Whether the vendor refused our credentials, or credits are used up, and nothing has succeeded since."""
        return self._gate.parked

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool] | None = None,
        json: JsonObject | None = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, Upload] | None = None,
        own_no: frozenset[int] = frozenset(),
        group: str | None = None,
        limit: int | None = None,
        expect: Literal["json", "bytes"] = "json",
    ) -> Answer:
        """One call. Raises VendorUnavailable, VendorWaiting, VendorRefused or AnswerUnreadable (see the top).

        `path` starts with a slash, its segments encoded (`segment`). `own_no` holds the statuses among 401 and 403 by
        which this operation says no to its own subject, so that they speak of our credentials only where their words
        do. `group` is whose rate limit the call counts for; `limit` takes the place of `max_answer`.
        """
        writes = method not in ("GET", "HEAD")
        await self._turn(self._gate.rate(writes, group))
        async with self._slots:
            self._gate.admit(writes, group)
            request = self._http.build_request(
                method, self._base_url + path, params=params, json=json, data=data, files=files
            )
            done = await exchange(self._http, request, timeout=self._timeout, limit=limit or self._max_answer)
            self._heed_budget(done, self._gate.rate(writes, group))
            return self._judge(done, writes, own_no, (path, params, json, data), expect)

    async def _turn(self, rate: Rate) -> None:
        """Wait for the turn of a paced call without holding a place that others need: raises VendorWaiting. Who comes
        again takes a turn that has come by then. An action that has begun waits here: it would begin all over.
        """
        now, task = self._monotonic(), asyncio.current_task()
        turns = self._turns.setdefault(rate, deque())
        while turns and turns[0] <= now - WINDOW:
            turns.popleft()
        if turns and turns[0] <= now:
            turns.popleft()
            seconds = 0.0
        else:
            seconds = rate.pace(now)
        if task is not None and seconds > 0 and task not in self._begun:
            turns.append(now + seconds)
            raise VendorWaiting(f"{self.name} has few calls left in its rate window", seconds)
        if task is not None:
            self._begun.add(task)
        await asyncio.sleep(seconds)

    def _judge(
        self, done: Exchange, writes: bool, own_no: frozenset[int], sent: tuple[object, ...], expect: str
    ) -> Answer:
        status = done.status
        if done.broken or status is None or status >= 500:
            self._gate.failed()
        else:
            self._gate.answered()
        if status is None and done.garbled and writes:
            raise AnswerUnreadable(f"{self.name}: {done.fault}: it may have been a yes")
        if status is None:
            raise VendorUnavailable(f"{self.name}: {done.fault}", unsent=done.unsent or not writes)
        if self._is_about_us(status, done, own_no, sent):
            raise self._park(status, done, writes)
        if not 200 <= status < 300:
            raise self._refusal(status, done, writes)
        self._gate.succeeded(writes)
        return self._answer(status, done, expect)

    def _heed_budget(self, done: Exchange, rate: Rate) -> None:
        now, unix_now = self._monotonic(), self._clock()
        if done.status == 429:
            rate.rest(now, retry_after(done.headers, 429, unix_now) or 0.0)
        else:
            rate.heed(now, done.headers, unix_now)

    def _is_about_us(self, status: int, done: Exchange, own_no: frozenset[int], sent: tuple[object, ...]) -> bool:
        """Whether a no is to all our calls, and not to this one: our key is no good, or our credits are used up. A
        refusal may repeat what was sent, and that may come from a stranger: words that were sent prove nothing.
        """
        if status == 402 or (status in (401, 403) and status not in own_no):
            return True
        if not 400 <= status < 500:
            return False
        said = refusal(status, done.content, self._secrets)
        if status in own_no and _OF_THE_KEY.search(said) is not None:
            return True
        return _OF_CREDITS.search(said) is not None and _OF_CREDITS.search(repr(sent)) is None

    def _park(self, status: int, done: Exchange, writes: bool) -> VendorWaiting:
        reason = refusal(status, done.content, self._secrets)
        said = f"{self.name} is parked: {reason}"
        news = self._gate.refused(status, reason, writes)
        return VendorWaiting(said, PROBE_EVERY, status, alert=said if news else None)

    def _refusal(self, status: int, done: Exchange, writes: bool) -> VendorError:
        if status >= 500 or status in (408, 429):
            wait = retry_after(done.headers, status, self._clock())
            return VendorUnavailable(f"{self.name}: HTTP {status}", status, wait, unsent=not writes)
        if 300 <= status < 400:
            cure = "see that base_url is the address that answers itself"
            return VendorRefused(f"{self.name}: HTTP {status}: redirects are not followed; {cure}", status)
        return VendorRefused(refusal(status, done.content, self._secrets), status)

    def _answer(self, status: int, done: Exchange, expect: str) -> Answer:
        if done.fault is not None:
            raise AnswerUnreadable(f"{self.name}: HTTP {status}, but the answer is unreadable: {done.fault}", status)
        if expect == "bytes" or not done.content:
            return Answer(status, None, done.content, done.headers)
        try:
            return Answer(status, read_json(done.content), b"", done.headers)
        except ValueError:
            pass  # raised below, outside: its context would hold the answer
        raise AnswerUnreadable(f"{self.name}: HTTP {status}, but the answer is not JSON, or has a key twice", status)
