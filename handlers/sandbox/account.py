"""Didit's account host, /auth/v2/programmatic/: register, have the address confirmed, get a key.

The code that the vendor mails stands in /_sandbox/state. Not documented, and so made up: the words of refusals, and
that a wrong or late code is 400.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from handlers.sandbox.replies import ApiError, Endpoint, detail, field_error, json_body, required_text
from handlers.sandbox.state import Applicant
from handlers.sandbox.webhooks import APPLICATION_ID
from handlers.sandbox.world import World, world_of

HOURLY = 5  # registrations of one address of the net
CODE_SECONDS = 600.0  # 10 minutes in two texts, 15 in another
RESERVED = ("example.com", "example.net", "example.org")


def open_endpoint(endpoint: Endpoint) -> Endpoint:
    """An endpoint without a key."""

    async def run(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiError as error:
            return error.response()

    return run


async def register(request: Request) -> Response:
    """POST register/ {email, password}: 201, and a code is on its way."""
    world, body = world_of(request), await json_body(request)
    email, password = required_text(body, "email"), required_text(body, "password")
    _count(request, world)
    if "@" not in email:
        raise field_error("email", "Enter a valid email address.")
    if email.rpartition("@")[2] in RESERVED:
        raise detail(500, "Internal server error.")
    if len(password) < 8 or not all(re.search(kind, password) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]")):
        raise field_error("password", "8 characters or more, upper and lower case, a digit, a special character.")
    code = world.state.new_id(f"code:{email}").replace("-", "")[:6].upper()
    world.state.applicants[email] = Applicant(code, world.settings.clock() + CODE_SECONDS)
    return JSONResponse({"message": "A code was sent.", "email": email}, 201)


def _count(request: Request, world: World) -> None:
    now, came = world.settings.clock(), world.state.registrations
    came[:] = [at for at in came if at > now - 3600]
    if len(came) >= HOURLY:
        raise detail(429, "Too many registrations.", {"Retry-After": "3600"})
    came.append(now)


async def verify_email(request: Request) -> Response:
    """POST verify-email/ {email, code}: tokens, and the first application with its key."""
    world, body = world_of(request), await json_body(request)
    email, code = required_text(body, "email"), required_text(body, "code")
    applicant = world.state.applicants.get(email)
    if applicant is None or applicant.code != code or world.settings.clock() > applicant.expires:
        raise detail(400, "The code is wrong or has expired.")
    del world.state.applicants[email]
    return JSONResponse(
        {
            "access_token": world.state.new_id(),
            "refresh_token": world.state.new_id(),
            "expires_in": 86400,
            "organization": {"uuid": world.state.new_id("organization"), "name": "Sandbox"},
            "application": {
                "uuid": APPLICATION_ID,
                "name": "Sandbox",
                "client_id": world.state.new_id("client"),
                "api_key": world.settings.api_key,
            },
        }
    )
