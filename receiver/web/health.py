"""`/healthz`, `/readyz` and `/metrics`: open to the world, so they tell little and cost little."""

from __future__ import annotations

import asyncio
import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.errors import StoreUnavailable
from receiver.web.answers import JsonAnswer
from receiver.wiring import System

_REMEMBERED = 1.0  # seconds that an answer of the store is good for: strangers must not make us write all day


class Health:
    """Liveness, readiness and metrics of one system."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._writable = False
        self._asked = float("-inf")
        self._asking = asyncio.Lock()

    def routes(self) -> list[Route]:
        """The three routes."""
        return [Route("/healthz", self._healthz), Route("/readyz", self._readyz), Route("/metrics", self._metrics)]

    async def _healthz(self, request: Request) -> Response:
        return JsonAnswer({"status": "ok"})

    async def _readyz(self, request: Request) -> Response:
        checks = {
            "store": self._system.storing and await self._store_writable(),
            "dispatcher": self._system.dispatcher.alive,
            "accepting": not self._system.draining,
        }
        ready = all(checks.values())
        return JsonAnswer({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)

    async def _store_writable(self) -> bool:
        async with self._asking:
            if time.monotonic() - self._asked > _REMEMBERED:
                try:
                    await self._system.store.run(lambda tx: tx.probe())
                    self._writable = True
                except StoreUnavailable:
                    self._writable = False
                self._asked = time.monotonic()
        return self._writable

    async def _metrics(self, request: Request) -> Response:
        page = await run_in_threadpool(self._system.metrics.page)
        return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")
