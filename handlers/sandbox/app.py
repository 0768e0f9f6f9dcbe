"""The simulators as one Starlette application: the vendors' paths do not meet. Whoever wants it served hands it to a
server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route, request_response

from handlers.sandbox import control, didit, kwikid, verifik
from handlers.sandbox.front import FrontDoor
from handlers.sandbox.media import download
from handlers.sandbox.replies import http_error
from handlers.sandbox.settings import RateLimits, SandboxSettings
from handlers.sandbox.world import World

__all__ = ["RateLimits", "SandboxSettings", "build_sandbox"]


def build_sandbox(settings: SandboxSettings) -> Starlette:
    """The application; what it holds is at `app.state.world`. Its lifespan must run for webhooks to leave."""
    world = World(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with world.courier:
            yield

    app = Starlette(
        routes=[
            *didit.ROUTES,
            *kwikid.ROUTES,
            *verifik.ROUTES,
            Route("/media/{name}", download, methods=["GET"]),
            *control.ROUTES,
        ],
        middleware=[Middleware(FrontDoor, world=world)],
        exception_handlers={HTTPException: http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.router.default = request_response(didit.add_slash)
    app.state.world = world
    return app
