"""Lengths of time as people write them: `500ms`, `30s`, `5m`, `24h`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|y)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}


def read_duration(value: object) -> object:
    """Seconds for a text with a unit; anything else as it is. Raises ValueError for a text that is no duration."""
    if isinstance(value, str):
        match = _DURATION.match(value)
        if not match:
            raise ValueError("must be a duration such as 500ms, 30s, 5m or 5y")  # not quoted: may be a ${SECRET}
        return float(match[1]) * _SECONDS[match[2]]
    return value


Duration = Annotated[
    float, BeforeValidator(read_duration), Field(gt=0, description="seconds, or text such as 500ms, 30s, 5m, 24h")
]
Retention = Annotated[
    float, BeforeValidator(read_duration), Field(ge=0, description="seconds, or text such as 90d, 5y; 0 keeps for good")
]
