"""What another vendor's liveness check gives rules: one shape for every vendor, in Didit's words. Pure.

Three things are kept apart: the tag (what was seen), its severity, and the status (what Didit would call it). Beside
them stand the vendor's own word, its score as sent and the scale, so that the reading can be done again. Scores of
different vendors are not comparable: none is converted. What the vendor did not say is null.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, TypedDict, get_args

from pydantic import BaseModel, ConfigDict

from handlers.redact import redact
from receiver.contract import SEVERITIES, JsonObject, JsonValue, Known, Severity, Words

Status: TypeAlias = Literal["Approved", "In Review", "Declined"]
MAX_KEPT_ANSWER = 64 * 1024  # characters of JSON: more is no verdict
_LARGEST: Final = sys.float_info.max


class Params(BaseModel):
    """Unknown keys are errors; types are taken as written, so that `"yes"` is not a boolean."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LivenessWarning(TypedDict):
    """One finding, under Didit's tag for it."""

    tag: str
    severity: Severity
    data: JsonValue


class LivenessResult(TypedDict):
    """What rules see as `result`. `passed` is the vendor's own verdict; `scale` is null where it is not documented;
    `min_score` is what the score had to be above; `notes` say what does not fit together; `answer` is what came,
    redacted. The last five but `answer` are only known of a picture held against a video.
    """

    status: Status
    tags: list[str]
    warnings: list[LivenessWarning]
    passed: bool | None
    score: float | None
    scale: str | None
    min_score: float | None
    vendor_reason: str | None
    notes: list[str]
    request_id: str | None
    answer: JsonValue
    overall_score: float | None
    face_match: bool | None
    face_match_score: float | None
    blink: bool | None


def known_of(tags: tuple[str, ...], scales: tuple[str, ...]) -> Mapping[str, Known]:
    """What is known of the words in a vendor's result, of which these are the tags and scales that its reader gives."""
    found = Words("tag", tags, closed=True)
    return {
        "status": Words("status", get_args(Status), closed=True),
        "tags[]": found,
        "warnings[].tag": found,
        "warnings[].severity": Words("severity", SEVERITIES, closed=True),
        "scale": Words("scale", scales, closed=True),
    }


def finding(tag: str, severity: Severity, data: JsonValue = None) -> LivenessWarning:
    """One warning of a result."""
    return {"tag": tag, "severity": severity, "data": data}


def unclear(
    body: JsonObject, note: str, *, min_score: float | None = None, request_id: str | None = None
) -> LivenessResult:
    """The result of an answer that is no clear verdict: for a person, with nothing in it that a rule could take for a
    finding, be it a score. What the vendor said stands in `answer`.
    """
    return {
        "status": "In Review",
        "tags": [],
        "warnings": [],
        "passed": None,
        "score": None,
        "scale": None,
        "min_score": min_score,
        "vendor_reason": None,
        "notes": [note],
        "request_id": request_id,
        "answer": kept(body),
        "overall_score": None,
        "face_match": None,
        "face_match_score": None,
        "blink": None,
    }


def unreadable(value: JsonValue) -> bool:
    """Whether something is said in a place for a truth value that is none."""
    return truth(value) is None and says(value)


def says(value: JsonValue) -> bool:
    """Whether anything is said: not null, "N/A", or empty."""
    return text(value) is not None if isinstance(value, str) else value is not None


def truth(value: JsonValue) -> bool | None:
    """A truth value as JSON or as text in any case; None for everything else ("N/A", null, a number)."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def number(value: JsonValue) -> int | float | None:
    """A number as sent; None for anything else, text among it, and what no double holds."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST else None


def text(value: JsonValue) -> str | None:
    """A text that says something: not empty, not "N/A"."""
    if not isinstance(value, str) or value.strip().lower() in ("", "n/a", "na", "none", "null"):
        return None
    return value.strip()


def part(body: JsonObject, name: str) -> JsonObject:
    """An object inside another; an empty one where there is none."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def kept(answer: JsonObject) -> JsonValue:
    """An answer as it may be kept: without links, images and tokens; null where it is too large to be one."""
    readable = redact(answer, every_link=True)
    return readable if len(json.dumps(readable)) <= MAX_KEPT_ANSWER else None
