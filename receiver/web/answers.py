"""The shapes of answers: documents as JSON, errors as `{"error": {"code", "message"}}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


class JsonAnswer(Response):
    """JSON that also holds what strict encoders refuse to write: lone surrogates are escaped, not failed on."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Bytes of the answer."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """An error answer. The message says what to do; it never says why a signature failed."""
    return JsonAnswer({"error": {"code": code, "message": message}}, status, headers)
