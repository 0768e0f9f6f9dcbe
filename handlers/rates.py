"""How often one group of calls may be made: kept to before the vendor has to say no.

Three ways to hold a call back, by what is known:
- **the window is full**: so many calls left in the last 60 s as the vendor allows. None goes until the oldest is out.
- **paced**: the answers say that less than 15 % of the window is left, as Didit's own advice has it: what is left is
  spread over the rest of the window. Other programs may use the same key, so the answers know more than we do.
- **resting**: nothing is left, or the vendor has said no (429). None goes until the time that it names.

The number allowed is what the answers say (X-RateLimit-Limit); before the first, what the vendor documents.
Synchronous; the clock is handed in, in seconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from handlers.answers import rate_limit, until_reset

WINDOW: Final = 60.0  # seconds: the documented window; a vendor that asks for more is asked again after this
SCARCE: Final = 0.15  # less than this share of the window left: slow down
LONGEST_PACE: Final = 5.0  # seconds that one call is held back


class Rate:
    """One group of calls under one limit. `limit` None: not documented, and none is kept to until answers name one."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._sent: deque[float] = deque()
        self._rest_until = 0.0
        self._spacing = 0.0
        self._paced_until = 0.0
        self._next_turn = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a call may be sent; 0 or less: now."""
        while self._sent and self._sent[0] <= now - WINDOW:
            self._sent.popleft()
        full = self._limit is not None and len(self._sent) >= self._limit
        return max(self._rest_until - now, self._sent[0] + WINDOW - now if full and self._sent else 0.0)

    def pace(self, now: float) -> float:
        """Seconds to hold the next call back so that what is left lasts; each call asks once, and has its own turn."""
        if now >= self._paced_until:
            return 0.0
        turn = max(now, self._next_turn)
        self._next_turn = min(turn + self._spacing, self._paced_until)
        return min(turn - now, LONGEST_PACE)

    def sent(self, now: float) -> None:
        """A call goes out."""
        if self._limit is not None:
            self._sent.append(now)

    def rest(self, now: float, seconds: float) -> None:
        """Send no more for so long, and at most for one window. A longer rest that was asked for before stands."""
        self._rest_until = max(self._rest_until, now + min(seconds, WINDOW))

    def heed(self, now: float, headers: Mapping[str, str], unix_now: float) -> None:
        """What an answer says of the window: X-RateLimit-Limit, -Remaining, -Reset. Nothing said: nothing changes."""
        limit, remaining = rate_limit(headers)
        reset = min(max(until_reset(headers, unix_now) or 0.0, 0.0), WINDOW)
        if limit:
            self._limit = limit
        if remaining is None:
            return
        if remaining == 0:
            self.rest(now, reset)
        elif limit and remaining < SCARCE * limit:
            if now >= self._paced_until:  # another window: the turns of the last one are gone
                self._next_turn = now
            self._spacing, self._paced_until = reset / (remaining + 1), now + reset
            self._next_turn = max(self._next_turn, now + self._spacing)
        else:
            self._paced_until = self._next_turn = now
