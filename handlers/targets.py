"""Where `http.post` and `notify` send to: places that the operator named in config.yaml, which policies know by name.

Addresses and secrets stand in the configuration alone: a policy can send to no other place, and shows none.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from handlers.answers import retry_after
from handlers.daemons import Busy, Daemons
from handlers.exchange import Exchange, exchange, open_client
from handlers.gate import Gate
from receiver.errors import VendorRefused, VendorUnavailable, VendorWaiting

if TYPE_CHECKING:
    from apprise import Apprise

MAX_ANSWER: Final = 64 * 1024  # bytes of an answer, of which only the status counts
AT_A_TIME: Final = 8  # messages on their way, for each hook and each channel
_BUSY_FOR: Final = 5.0  # seconds until a channel with no place left is asked again
_MARK: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)  # https://github.com/standard-webhooks: "between 24 bytes and 64 bytes"


def hook_key(secret: str) -> bytes:
    """The key in a Standard Webhooks secret: `whsec_` and base64. Raises ValueError, which never quotes it."""
    try:
        key = base64.b64decode(secret.removeprefix(_MARK), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be `whsec_` and base64, as Standard Webhooks has it") from None
    if not secret.startswith(_MARK) or len(key) not in _KEY_BYTES:
        raise ValueError("must be `whsec_` and the base64 of 24 to 64 bytes; `openssl rand -base64 32` makes one")
    return key


def signed_headers(key: bytes, message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of a Standard Webhooks message (spec 1.0, `v1`: HMAC-SHA256 of id, time and body, in base64)."""
    mac = hmac.digest(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


class Hook:
    """One URL that takes signed messages. Raises ValueError for a secret that is none. `timeout` in seconds."""

    def __init__(
        self, name: str, url: str, secret: str, timeout: float = 10.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self._url = url
        self._key = hook_key(secret)
        self._timeout = timeout
        self._clock = clock
        self._gate = Gate(f"webhook {name}", time.monotonic)
        self._http = open_client(
            {}, connect_timeout=min(5.0, timeout), timeout=timeout, connections=AT_A_TIME, keep_alive=True, tls=None
        )

    def __repr__(self) -> str:
        return f"Hook({self.name!r})"  # the URL may hold a token

    async def post(self, message_id: str, body: bytes) -> int:
        """Send a message; gives the status of the answer. Raises VendorUnavailable, VendorWaiting or VendorRefused."""
        self._gate.admit(True)
        headers = signed_headers(self._key, message_id, int(self._clock()), body)
        request = self._http.build_request("POST", self._url, content=body, headers=headers)
        done = await exchange(self._http, request, timeout=self._timeout, limit=MAX_ANSWER)
        return self._judged(done)

    def _judged(self, done: Exchange) -> int:
        status = done.status
        if status is None or status >= 500:
            self._gate.failed()
        else:
            self._gate.answered()
        if status is None:
            raise VendorUnavailable(f"{self.name}: {done.fault}", unsent=done.unsent)
        if 200 <= status < 300:
            return status
        if status >= 500 or status in (408, 425, 429):
            raise VendorUnavailable(
                f"{self.name}: HTTP {status}", status, retry_after(done.headers, status, self._clock())
            )
        if 300 <= status < 400:
            raise VendorRefused(f"{self.name}: HTTP {status}: redirects are not followed", status)
        raise VendorRefused(f"{self.name}: HTTP {status}: the receiver does not take it", status)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class Channel:
    """One way to tell people something: a URL as Apprise reads it, which holds the credentials.

    See https://github.com/caronc/apprise for Slack, Teams, e-mail and all others. Raises ValueError for a URL that is
    none, without quoting it. `timeout` in seconds.
    """

    def __init__(self, name: str, url: str, timeout: float = 30.0) -> None:
        self.name = name
        self._url = url
        self._timeout = timeout
        self._tellers: Daemons[bool] = Daemons(AT_A_TIME)
        if not _apprise(url):
            raise ValueError("is not a URL that Apprise can notify, such as slack://... or mailtos://...")

    def __repr__(self) -> str:
        return f"Channel({self.name!r})"

    async def tell(self, title: str, body: str) -> None:
        """Send a message as plain text. Raises VendorUnavailable: Apprise tells no reasons. Raises VendorWaiting while
        too many earlier ones, which Apprise cannot be made to give up, are still on their way.
        """
        try:
            async with asyncio.timeout(self._timeout):
                sent = await self._tellers.run(lambda: self._send(title, body))
        except TimeoutError:
            sent = False
        except Busy:
            raise VendorWaiting(f"{self.name} is slow: earlier notifications are on their way", _BUSY_FOR) from None
        if not sent:
            raise VendorUnavailable(f"{self.name}: the notification could not be delivered")

    def _send(self, title: str, body: str) -> bool:
        from apprise import NotifyFormat

        return bool(_apprise(self._url).notify(body=body, title=title, body_format=NotifyFormat.TEXT))


def _apprise(url: str) -> Apprise:
    """Apprise over one URL; false where it cannot read it. Its log lines hold URLs, and so credentials."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    from apprise import Apprise, AppriseAsset

    # otherwise, or with a timeout of its own, it has threads of its own, which an exit would wait for
    told = Apprise(asset=AppriseAsset(async_mode=False, service_timeout=0))
    told.add(url)
    return told
