"""What KwikID's and Verifik's simulators have in common: a bearer token, and refusals in the vendor's own shape."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request

from handlers.sandbox.world import world_of

Token = Literal["good", "wrong", "expired"]


def token_of(request: Request, own: str | None) -> Token:
    """What the call's token is worth; `own` is the vendor's in the settings, None where the API key serves as one."""
    settings = world_of(request).settings
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return "wrong"
    if token in settings.expired_tokens:
        return "expired"
    return "good" if token == (own or settings.api_key) else "wrong"
