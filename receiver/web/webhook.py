"""`POST /webhooks/{source}`: the way of one webhook. A 2xx is a receipt: it leaves only after the commit.

Order: size cap, raw bytes, verify, freshness, parse, normalise, then one transaction (dedupe, decide, store). Written
as a bare ASGI application, since this is the measured path.
"""

from __future__ import annotations

import asyncio
import time

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from receiver.errors import PayloadRejected, SignatureRejected, StoreUnavailable
from receiver.intake import Challenge
from receiver.web.answers import JsonAnswer, error, internal_error
from receiver.web.body import BodyTooLarge, BodyTooSlow, ClientGone, read_body
from receiver.web.rejects import RejectLog
from receiver.wiring import System

_CLOSE = {"connection": "close"}


class WebhookEndpoint:
    """Answers every delivery with accept, 400, 401, 404, 408, 413 or 503, whatever its bytes."""

    def __init__(self, system: System, rejects: RejectLog) -> None:
        self._system = system
        self._rejects = rejects
        self._server = system.configuration.settings.server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery."""
        name = scope["path_params"]["source"]
        if name not in self._system.sources:
            answer: Response = error(404, "unknown_source", "no source of this name is configured")
            name = "unknown"
        else:
            try:
                answer = await self._answer(name, scope, receive)
            except ClientGone:
                return
            except asyncio.CancelledError:
                if not self._system.draining:
                    raise
                answer = _unavailable("draining", 5)  # the server ends what still waits: that is our trouble
            except Exception as fault:  # noqa: BLE001 - here and not further out, where its message would be logged
                answer = internal_error(fault)
        self._system.metrics.deliveries.labels(name, str(answer.status_code)).inc()
        await answer(scope, receive, send)

    async def _answer(self, name: str, scope: Scope, receive: Receive) -> Response:
        if self._system.draining:
            return _unavailable("draining", 5)
        try:
            body = await read_body(scope, receive, self._server.max_body, self._server.body_timeout)
        except BodyTooLarge as fault:
            self._refused(name, scope, "body too large", 0)
            return error(413, "too_large", str(fault), _CLOSE)
        except BodyTooSlow as fault:
            self._refused(name, scope, "body too slow", 0)
            return error(408, "too_slow", str(fault), _CLOSE)
        return await self._receive(name, scope, body)

    async def _receive(self, name: str, scope: Scope, body: bytes) -> Response:
        started = time.perf_counter()
        try:
            source = self._system.sources[name]
            if source.keys is not None:
                await source.prepare(scope["headers"])
            arrival = source.receive(scope["headers"], body, self._system.clock())
            if isinstance(arrival, Challenge):
                return JsonAnswer({"challenge": arrival.text})
            receipt = await self._system.record(arrival)
        except SignatureRejected as refusal:
            self._refused(name, scope, refusal.reason, len(body))
            return error(401, "unauthorized", "the delivery could not be verified")
        except PayloadRejected as refusal:
            self._refused(name, scope, "not a JSON object", len(body))
            return error(400, "bad_payload", str(refusal))
        except StoreUnavailable as trouble:
            return _unavailable(str(trouble), trouble.retry_after)
        self._system.metrics.intake.observe(time.perf_counter() - started)
        return JsonAnswer({"event_id": receipt.event_id, "outcome": receipt.outcome})

    def _refused(self, name: str, scope: Scope, reason: str, size: int) -> None:
        client = scope["client"][0] if scope.get("client") else None
        self._system.metrics.rejected.labels(name, reason).inc()
        self._rejects.add(name, client, reason, size)


def _unavailable(message: str, retry_after: int) -> Response:
    """Our own trouble is never the sender's fault: it should try again."""
    return error(503, "unavailable", message, {"retry-after": str(retry_after)})
