"""What stands before every endpoint of the API: the token, its role, and errors in the one shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from receiver.errors import Conflict, NotFound, PayloadRejected, StoreUnavailable, Unusable
from receiver.web.answers import error, log_fault
from receiver.web.auth import Caller, Tokens
from receiver.web.body import BodyTooLarge, BodyTooSlow, ClientGone

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


_CLOSE = {"connection": "close"}


class Guard:
    """Wraps an endpoint. `guard(deed, endpoint)` asks for a token whose role allows the deed."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, deed: str, endpoint: Callable[[Request, Caller], Awaitable[Response]]) -> Endpoint:
        """The guarded endpoint."""

        async def guarded(request: Request) -> Response:
            caller = self._tokens.caller(request)
            if caller is None:
                challenge = {"www-authenticate": "Bearer"}
                return error(
                    401, "unauthorized", "send `Authorization: Bearer <token>` with a token of config.yaml", challenge
                )
            if not caller.may(deed):
                return error(403, "forbidden", f"the role {caller.role} does not allow this")
            try:
                return await endpoint(request, caller)
            except (Unusable, PayloadRejected) as fault:
                return error(400, "bad_request", str(fault))
            except NotFound as fault:
                return error(404, "not_found", str(fault))
            except Conflict as fault:
                return error(409, "conflict", str(fault))
            except BodyTooLarge as fault:
                return error(413, "too_large", str(fault), _CLOSE)
            except BodyTooSlow as fault:
                return error(408, "too_slow", str(fault), _CLOSE)
            except ClientGone:
                return error(408, "gone", "nobody waits for this answer", _CLOSE)
            except StoreUnavailable as trouble:
                return error(503, "unavailable", str(trouble), {"retry-after": str(trouble.retry_after)})
            except Exception as fault:  # noqa: BLE001 - here and not further out, where its message would be logged
                log_fault(fault)
                return error(500, "internal_error", "a fault of ours; the log names its place")

        return guarded


def only_known(request: Request, *known: str) -> None:
    """Raise Unusable for a query parameter that nobody reads: it may be a misspelt one."""
    unknown = set(request.query_params) - set(known)
    if unknown:
        raise Unusable(f"unknown parameter {min(unknown)!r}; known: {', '.join(known)}")


def entry_number(request: Request) -> int:
    """The `idx` of a path: checked here and not by the router, which would fail on numbers that Python does not read.
    Raises NotFound.
    """
    text: str = request.path_params["idx"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound("no entry of this number")
    return int(text)


def whole_number(request: Request, name: str, default: int, most: int) -> int:
    """A query parameter from 1 to `most`. Raises Unusable."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) + 1) or not 1 <= int(text) <= most:
        raise Unusable(f"{name} must be a whole number from 1 to {most}")
    return int(text)
