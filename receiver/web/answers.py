"""The shapes of answers: documents as JSON, errors as `{"error": {"code", "message"}}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.responses import Response

from receiver.log import place_of


class JsonAnswer(Response):
    """JSON that also holds what strict encoders refuse to write: lone surrogates are escaped, not failed on."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Bytes of the answer."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


log = structlog.get_logger(__name__)


def internal_error(fault: Exception) -> JsonAnswer:
    """A fault of ours, to a sender: to be tried again."""
    log_fault(fault)
    return error(503, "unavailable", "an internal error; try again", {"retry-after": "5"})


def log_fault(fault: Exception) -> None:
    """The log names a fault's kind and place, never its message, which may hold data."""
    log.error("internal error", kind=type(fault).__name__, at=place_of(fault))


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """An error answer. The message says what to do; it never says why a signature failed."""
    return JsonAnswer({"error": {"code": code, "message": message}}, status, headers)
