"""Rate limits as the vendor documents them: a sliding window for each caller and group of calls."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import Literal

from handlers.sandbox.settings import Clock, RateLimits

Group = Literal["read", "write", "session_create", "pdf"]


class RateLimiter:
    """Counts calls. `take` is asked once for each call."""

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._taken: defaultdict[tuple[str, Group], deque[float]] = defaultdict(deque)

    def take(self, caller: str, group: Group) -> tuple[bool, dict[str, str]]:
        """Whether the call may pass, and the headers that say so (with Retry-After where it may not)."""
        limit: int = getattr(self._limits, group)
        now, taken = self._clock(), self._taken[caller, group]
        while taken and taken[0] <= now - self._limits.window:
            taken.popleft()
        allowed = len(taken) < limit
        if allowed:
            taken.append(now)
        free_at = (taken[0] if taken else now) + self._limits.window
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - len(taken)),
            "X-RateLimit-Reset": str(math.ceil(free_at)),
        }
        if not allowed:
            headers["Retry-After"] = str(max(1, math.ceil(free_at - now)))
        return allowed, headers
