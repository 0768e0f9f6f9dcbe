"""KwikID's answers read for what rules need. Pure: JSON in, values out; every field may be missing, null or "N/A".

Facts: KwikID's ML API pages (doc.app.getkwikid.com), state of 2026-11. Truth values come as JSON booleans and as the
texts "True" and "False", side by side in one answer. The scale of its confidences is not documented: none is assumed.
What `POST /v2/liveness` answers is only known by the names of its blocks; its fields are read as those of its nearest
documented sibling, `POST /advanced_facematch`, and what cannot be read that way is never taken for a yes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from handlers.liveness import LivenessResult, LivenessWarning, Status, finding, kept, number, part, text, truth
from receiver.contract import JsonObject, JsonValue, Severity
from receiver.errors import AnswerUnreadable, VendorRefused, VendorUnavailable

_NOT_FOUND = re.compile(r"\bfaces?\b[^;]{0,40}\b(not found|do(es)? not exist)\b", re.IGNORECASE)
_OTHER_400 = re.compile(r"\b(parameters?|required|missing)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Said:
    """What an answer says. `faces` are its words on whether the face is real, lower case."""

    faces: tuple[str, ...]
    match: bool | None
    overall: bool | None
    whole: bool  # every verdict that a yes needs is there


@dataclass(frozen=True, slots=True)
class _Verdict:
    status: Status
    warning: LivenessWarning | None = None
    note: str | None = None


def liveness_result(body: JsonObject, fake_tag: str) -> JsonObject:
    """What a rule sees of `POST /liveness`. Raises AnswerUnreadable where none of its verdicts is there."""
    faces = _words(body.get("result"), body.get("image_result"))
    overall = truth(body.get("overall_result"))
    if not faces and overall is None:
        raise AnswerUnreadable("kwikid: the answer holds no verdict", 200)
    # what is left out of picture-only answers is not documented: one word on the face is enough there
    said = _Said(faces, truth(body.get("facematch_result")), overall, whole=bool(faces))
    return _result(body, said, fake_tag, number(body.get("confidence")), number(body.get("facematch_confidence")))


def liveness_v2_result(body: JsonObject, fake_tag: str) -> JsonObject:
    """What a rule sees of `POST /v2/liveness`: Approved only where its face is called real and the whole "True"."""
    shown = [block for name in ("image", "video") if _took_part(block := part(body, name))]
    compared = part(body, "image_video_facematch")
    faces = _words(*(block.get("result") for block in shown), body.get("result"), body.get("image_result"))
    match = truth(compared.get("result")) if _took_part(compared) else None
    overall = truth(body.get("overall_result"))
    said = _Said(faces, match, overall, whole=bool(faces) and overall is not None)
    score = next((_confidence(block) for block in shown), None)
    return _result(body, said, fake_tag, score, number(compared.get("confidence")))


def says_gone(refusal: str) -> bool:
    """Whether a 400 of the deletion says that the face is not there. A missing parameter and a fault of the store are
    400 as well, so only the words tell: what they do not clearly say is not assumed.
    """
    return _NOT_FOUND.search(refusal) is not None and _OTHER_400.search(refusal) is None


def refuse_hidden_error(body: JsonObject, http_status: int) -> JsonObject:
    """The body, unless it is an error in spite of its HTTP status: `success` is true in KwikID's errors too. Raises
    VendorRefused, and VendorUnavailable where it is too much at the moment.
    """
    codes = [code for name in ("status_code", "status") if (code := number(body.get(name))) is not None]
    if 429 in codes:
        raise VendorUnavailable(f"kwikid: HTTP {http_status}, but the answer says 429", 429)
    code = next(iter(codes), None)
    if code is not None and code >= 400:
        raise VendorRefused(f"kwikid: HTTP {http_status}, but the answer says status_code {code}", http_status)
    if truth(body.get("success")) is False:
        raise VendorRefused(f"kwikid: HTTP {http_status}, but the answer says that it did not succeed", http_status)
    return body


def _result(body: JsonObject, said: _Said, fake_tag: str, score: float | None, match_score: float | None) -> JsonObject:
    verdict = _verdict(said, fake_tag)
    warnings = [verdict.warning] if verdict.warning else []
    real = all(word == "real" for word in said.faces) if said.faces else None
    result: LivenessResult = {
        "status": verdict.status,
        "tags": [warning["tag"] for warning in warnings],
        "warnings": warnings,
        "passed": real if said.overall is None else said.overall,
        "score": score,
        "scale": None,
        "min_score": None,
        "vendor_reason": next((word for word in said.faces if word != "real"), said.faces[0] if said.faces else None),
        "notes": [verdict.note] if verdict.note else [],
        "request_id": None,
        "answer": kept(body),
        "overall_score": number(body.get("overall_confidence")),
        "face_match": said.match,
        "face_match_score": match_score,
        "blink": truth(body.get("blink_detection")),
    }
    return cast("JsonObject", result)


def _verdict(said: _Said, fake_tag: str) -> _Verdict:
    """The worst thing that is said, first. A yes and a no together are for a person."""
    if "fake" in said.faces:
        return _no(fake_tag, contradicted=said.overall is True)
    if any(word != "real" for word in said.faces):
        return _Verdict("In Review", note="the vendor's word for the face is not known")
    if said.match is False:
        return _no("LOW_FACE_MATCH_SIMILARITY", contradicted=said.overall is not False)
    if said.overall is False:
        return _Verdict("In Review", note="unexplained: the whole failed, none of its parts did")
    if not said.whole:
        return _Verdict("In Review", note="the answer does not hold every verdict that a yes needs")
    return _Verdict("Approved")


def _no(tag: str, *, contradicted: bool) -> _Verdict:
    severity: Severity = "warning" if contradicted else "error"
    note = "integrity: one part of the answer says no, the whole does not" if contradicted else None
    return _Verdict("In Review" if contradicted else "Declined", finding(tag, severity), note)


def _words(*values: JsonValue) -> tuple[str, ...]:
    return tuple(word.lower() for value in values if (word := text(value)))


def _took_part(block: JsonObject) -> bool:
    """Whether a block is about something that was sent and done; the sibling fills the others with "False"."""
    said = [truth(block.get(name)) for name in ("input_provided", "performed")]
    return bool(block) and False not in said


def _confidence(block: JsonObject) -> float | None:
    """The sibling sets `confidence` to 0 where the face is fake, and gives the number as `prediction_confidence`."""
    confidence = number(block.get("confidence"))
    return confidence or number(block.get("prediction_confidence"))
