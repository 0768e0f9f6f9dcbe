"""Sends webhooks to the receiver, as patiently as Didit does.

Any 2xx is success. 5xx, 404, timeout and a failed connection are tried again, at most twice; every other answer is
final; redirects are not followed. Bodies and signatures are never logged or kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx

from handlers.sandbox.faults import FaultDice
from handlers.sandbox.settings import SandboxSettings
from handlers.sandbox.webhooks import sign, wire
from receiver.contract import JsonObject

log = logging.getLogger("hookwarden.sandbox")

FORGERS_SECRET: Final = "not-the-secret-of-this-destination"  # noqa: S105 - what forged deliveries are signed with


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event to send. `forged`: signed with a secret that is not the destination's."""

    document: JsonObject
    forged: bool = False
    console_test: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt: `http_status` is None where no answer came; `answer` is what the receiver said, if it was a small
    object.
    """

    event_id: str | None
    session_id: str | None
    webhook_type: str
    attempt: int
    at: float
    http_status: int | None
    answer: JsonObject | None = None

    @property
    def retryable(self) -> bool:
        """Whether Didit would try again."""
        return self.http_status is None or self.http_status == 404 or self.http_status >= 500

    def document(self) -> JsonObject:
        """The attempt as /_sandbox/state shows it."""
        return asdict(self)


class Courier:
    """Posts webhooks, at once or in the background. Use as an async context manager; leaving it drops what still
    waits.
    """

    def __init__(self, settings: SandboxSettings, dice: FaultDice) -> None:
        self._settings = settings
        self._dice = dice
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self.deliveries: list[Delivery] = []

    async def __aenter__(self) -> Courier:
        if self.ready:
            timeout = self._settings.webhook_timeout
            self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop()
        if self._client is not None:
            await self._client.aclose()

    @property
    def ready(self) -> bool:
        """Whether there is somewhere to send to and a secret to sign with."""
        return bool(self._settings.webhook_url and self._settings.webhook_secret)

    @property
    def pending(self) -> int:
        """Webhooks that are being sent or wait for their next attempt."""
        return len(self._tasks)

    async def drop(self) -> None:
        """Give up everything that is still to be sent."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def post(self, webhook: Webhook) -> None:
        """Send in the background with retries; faults may make it late or double. Without a destination: nothing."""
        if not self.ready:
            return
        copies = 2 if self._dice.draw_kind("duplicate_webhook") else 1
        late = self._dice.draw_kind("late_webhook")
        for _ in range(copies):
            self._spawn(self._send_patiently(webhook, late.fault.seconds if late else 0.0))

    async def deliver(self, webhook: Webhook) -> Delivery:
        """Send now and give the first attempt; where Didit would try again, that happens in the background."""
        first = await self._attempt(webhook, 1)
        if first.retryable:
            self._spawn(self._retry(webhook))
        return first

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_patiently(self, webhook: Webhook, wait: float) -> None:
        await asyncio.sleep(wait)
        if (await self._attempt(webhook, 1)).retryable:
            await self._retry(webhook)

    async def _retry(self, webhook: Webhook) -> None:
        for attempt, delay in enumerate(self._settings.webhook_retry_delays, start=2):
            await asyncio.sleep(delay * self._settings.webhook_delay_scale)
            if not (await self._attempt(webhook, attempt)).retryable:
                return

    async def _attempt(self, webhook: Webhook, attempt: int) -> Delivery:
        at = self._settings.clock()
        document = webhook.document
        if attempt > 1 and self._settings.webhook_retry_refreshes:
            document = {**document, "timestamp": int(at)}
        response = await self._post(wire(document), webhook)
        delivery = Delivery(
            event_id=_text(document.get("event_id")),
            session_id=_text(document.get("session_id")),
            webhook_type=str(document["webhook_type"]),
            attempt=attempt,
            at=at,
            http_status=response.status_code if response else None,
            answer=_answer(response),
        )
        self.deliveries.append(delivery)
        log.info("webhook %s attempt %d: %s", delivery.webhook_type, attempt, delivery.http_status)
        return delivery

    async def _post(self, body: bytes, webhook: Webhook) -> httpx.Response | None:
        url, secret = self._settings.webhook_url, self._settings.webhook_secret
        assert self._client is not None, "the courier was not entered"
        assert url is not None, "no webhook URL is set"
        assert secret is not None, "no webhook secret is set"
        headers = sign(body, FORGERS_SECRET if webhook.forged else secret, console_test=webhook.console_test)
        try:
            return await self._client.post(url, content=body, headers=headers)
        except httpx.TransportError:
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _answer(response: httpx.Response | None) -> JsonObject | None:
    if response is None or len(response.content) > 4096:
        return None
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
