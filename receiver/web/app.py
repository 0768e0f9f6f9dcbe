"""The ASGI application: webhook route, health, metrics and, where tokens are configured, the API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from receiver.web.answers import error
from receiver.web.api import Api
from receiver.web.auth import Tokens
from receiver.web.guard import Guard
from receiver.web.health import Health
from receiver.web.policy import PolicyApi
from receiver.web.proofs import ProofsApi
from receiver.web.record import RecordApi
from receiver.web.rejects import RejectLog
from receiver.web.story import StoryApi
from receiver.web.webhook import WebhookEndpoint
from receiver.wiring import System

_CODES = {404: "not_found", 405: "method_not_allowed"}


def build_app(system: System) -> Starlette:
    """The application over a built system. Its lifespan starts and stops the system."""
    rejects = RejectLog(system)
    health = Health(system)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        system.start()
        writing = asyncio.create_task(rejects.run(), name="reject log")
        try:
            yield
        finally:
            writing.cancel()
            await rejects.flush()
            await system.stop()

    routes: list[BaseRoute] = [
        Route("/webhooks/{source}", WebhookEndpoint(system, rejects), methods=["POST"]),
        *health.routes(),
    ]
    tokens = system.configuration.settings.api.tokens
    if tokens:
        guard = Guard(Tokens(tokens))
        routes.extend(PolicyApi(system, guard).routes())
        routes.extend(ProofsApi(system, guard).routes())
        routes.extend(RecordApi(system, guard).routes())
        routes.extend(StoryApi(system, guard).routes())  # before what takes all that follows `/api/sessions/`
        routes.extend(Api(system, guard).routes())
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _http_error})
    # a vendor follows no redirect, so one would lose its event; a wrong path is 404, which Didit tries again
    app.router.redirect_slashes = False
    return app


async def _http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return error(exc.status_code, _CODES.get(exc.status_code, "error"), str(exc.detail), exc.headers)
