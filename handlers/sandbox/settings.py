"""What can be set at the sandbox from outside. Defaults are the vendor's documented figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from handlers.sandbox.faults import Faults

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Calls that one key may make in a sliding window of `window` seconds (Didit's published figures)."""

    read: int = 600
    write: int = 300
    session_create: int = 600
    pdf: int = 50
    window: float = 60.0


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """The sandbox's settings.

    `clock` gives Unix seconds. The same `seed` gives the same ids and similarities; None draws one, so that a second
    run against a receiver that remembers the first is not taken for redeliveries. `public_url` is what links to images
    begin with; None: whatever host the request came to. Webhooks leave only where URL and secret are both set.

    What the vendor's texts contradict each other on, or leave open, can be chosen:
    - a wrong key is 401 and a missing one 403 in the newest pages; other texts have 401 for both, or 403 for both;
    - Approved or Declined set on a session that is already so: 200 and no webhook in the newest pages (`silent`), a
      webhook all the same (`webhook`), or 400 (`refused`);
    - whether an automatic retry carries a fresh timestamp is not documented;
    - deleting a session is 200 with JSON in the newest pages (`json`), 204 in others (`empty`);
    - adding the same value to a list twice is not documented (`refused` with 400, or `again`);
    - how Verifik says why it does not score a picture: a 409 (`refused`) or a 200 (`answered`).

    KwikID's and Verifik's tokens are the `api_key`, unless they have one of their own.
    """

    api_key: str
    webhook_url: str | None = None
    webhook_secret: str | None = None
    public_url: str | None = None
    clock: Clock = time.time
    seed: int | None = None
    faults: Faults = field(default_factory=Faults)
    limits: RateLimits = field(default_factory=RateLimits)
    link_seconds: float = 3600.0
    wrong_key_status: Literal[401, 403] = 401
    missing_key_status: Literal[401, 403] = 403
    same_status: Literal["silent", "webhook", "refused"] = "silent"
    delete_reply: Literal["json", "empty"] = "json"
    same_entry: Literal["refused", "again"] = "refused"
    webhook_timeout: float = 5.0
    webhook_retry_delays: tuple[float, ...] = (60.0, 240.0)
    webhook_delay_scale: float = 1.0
    webhook_retry_refreshes: bool = True
    balance: Decimal = Decimal(100)
    price: Decimal = Decimal("0.05")  # invented: what one standalone call takes off the balance
    kwikid_token: str | None = None
    verifik_token: str | None = None
    expired_tokens: tuple[str, ...] = ("expired-sandbox-token",)
    verifik_reasons: Literal["refused", "answered"] = "refused"
    control_from_anywhere: bool = False  # the /_sandbox/ routes have no key: loopback only, unless asked for
