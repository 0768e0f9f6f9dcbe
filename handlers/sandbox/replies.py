"""Reading requests and refusing them as Didit does: `{"detail": "..."}`, or field names with lists of messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from json import JSONDecodeError

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from receiver.contract import JsonObject, JsonValue

Endpoint = Callable[[Request], Awaitable[Response]]


class ApiError(Exception):
    """A refusal: the HTTP status and the body of the answer."""

    def __init__(self, status: int, body: JsonObject, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        super().__init__(status)

    def response(self) -> Response:
        """The refusal as an answer."""
        return JSONResponse(self.body, self.status, self.headers)


def detail(status: int, text: str, headers: Mapping[str, str] | None = None) -> ApiError:
    """A refusal that belongs to no field."""
    return ApiError(status, {"detail": text}, headers)


def field_error(name: str, text: str) -> ApiError:
    """A 400 that belongs to one field."""
    return ApiError(400, {name: [text]})


async def http_error(_: Request, error: Exception) -> Response:
    """Starlette's own errors (404, 405, bad multipart) in the vendor's shape."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


async def json_body(request: Request) -> JsonObject:
    """The body as a JSON object, or a 400."""
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError) as error:
        raise detail(400, "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise detail(400, "The body is not a JSON object.")
    return body


def required_text(body: JsonObject, name: str) -> str:
    """A text that must be there."""
    value = optional_text(body, name)
    if not value:
        raise field_error(name, "This field is required.")
    return value


def optional_text(body: JsonObject, name: str) -> str | None:
    """A text, or None where it is absent or null."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise field_error(name, "Not a valid string.")
    return value


_TRUE = ("true", "1")
_FALSE = ("false", "0")


def boolean(value: JsonValue, name: str, default: bool) -> bool:
    """A truth value from JSON, a form or a query: true/false or 1/0, any case."""
    if value is None:
        return default
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise field_error(name, "Must be a valid boolean.")
    return text in _TRUE


def choice(value: JsonValue, name: str, allowed: tuple[str, ...]) -> str:
    """One of a closed set of texts."""
    if not isinstance(value, str) or value not in allowed:
        raise field_error(name, f"Must be one of {', '.join(allowed)}.")
    return value


def page(request: Request, rows: list[JsonObject], default_limit: int) -> JsonObject:
    """One page of a list: {count, next, previous, results}, by `limit` and `offset` of the query."""
    limit, offset = _whole(request, "limit", default_limit, 1), _whole(request, "offset", 0, 0)
    results: list[JsonValue] = [*rows[offset : offset + limit]]

    def at(start: int) -> str:
        return str(request.url.include_query_params(limit=limit, offset=start))

    return {
        "count": len(rows),
        "next": at(offset + limit) if offset + limit < len(rows) else None,
        "previous": at(max(0, offset - limit)) if offset else None,
        "results": results,
    }


def _whole(request: Request, name: str, default: int, least: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) < least:
        raise field_error(name, "A valid integer is required.")
    return int(text)
