"""KwikID's liveness answers read for what rules need. Pure: JSON in, values out; every field may be missing, null or
"N/A".

Facts: KwikID's ML API pages (doc.app.getkwikid.com), state of 2026-11. Truth values come as JSON booleans and as the
texts "True" and "False", side by side in one answer. The scale of its confidences is not documented: none is assumed.
What `POST /v2/liveness` answers is only known by the names of its blocks; its fields are read as those of its nearest
documented sibling, `POST /advanced_facematch`, and what cannot be read that way is never taken for a yes, nor for a no.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from handlers.hidden_errors import HTTP_VERDICT, error_code, spoken_error
from handlers.liveness import (
    LivenessResult,
    LivenessWarning,
    Status,
    finding,
    kept,
    number,
    part,
    says,
    text,
    truth,
    unclear,
    unreadable,
)
from handlers.redact import public_text
from receiver.contract import JsonObject, JsonValue, Severity
from receiver.errors import AnswerUnreadable, VendorRefused, VendorUnavailable

_BLOCKS: Final = ("image", "video", "image_video_facematch")
_FLAGS: Final = ("input_provided", "performed")


@dataclass(frozen=True, slots=True)
class _Said:
    """What an answer says. `faces` are its words on whether the face is real, lower case."""

    faces: tuple[str, ...]
    match: bool | None
    overall: bool | None
    whole: bool  # every verdict that a clear yes or no needs is there


@dataclass(frozen=True, slots=True)
class _Verdict:
    status: Status
    warning: LivenessWarning | None = None
    note: str | None = None


def liveness_result(body: JsonObject, fake_tag: str) -> JsonObject:
    """What a rule sees of `POST /liveness`. Raises AnswerUnreadable where none of its verdicts is there."""
    pictured = truth(body.get("image_input")) is not False  # else `image_result` is about nothing
    faces = _words(body.get("result"), body.get("image_result") if pictured else None)
    overall = truth(body.get("overall_result"))
    if not faces and overall is None:
        raise AnswerUnreadable("kwikid: the answer holds no verdict", 200)
    doubt = _error_beside(body) or next(_doubts(body), None)
    if doubt is not None:
        return cast("JsonObject", unclear(body, doubt))
    match = truth(body.get("facematch_result")) if _compared(body) else None
    # what is left out of picture-only answers is not documented: the one word on the face is enough there
    said = _Said(faces, match, overall, whole=text(body.get("result")) is not None)
    return _result(body, said, fake_tag, number(body.get("confidence")), number(body.get("facematch_confidence")))


def liveness_v2_result(body: JsonObject, fake_tag: str) -> JsonObject:
    """What a rule sees of `POST /v2/liveness`: Approved only where its face is called real and the whole "True", and
    Declined only where the whole is "False".
    """
    doubt = _error_beside(body) or next(_doubts_v2(body), None)
    if doubt is not None:
        return cast("JsonObject", unclear(body, doubt))
    media = [part(body, name) for name in ("image", "video")]
    shown = [block for block in media if _took_part(block)]
    compared = part(body, "image_video_facematch")
    faces = _words(*(block.get("result") for block in shown), body.get("result"), body.get("image_result"))
    one_missing = any(truth(block.get("input_provided")) is False for block in media)
    match = truth(compared.get("result")) if _took_part(compared) and not one_missing else None
    overall = truth(body.get("overall_result"))
    said = _Said(faces, match, overall, whole=bool(faces) and overall is not None)
    score = next((_confidence(block) for block in shown), None)
    return _result(body, said, fake_tag, score, number(compared.get("confidence")))


def refuse_hidden_error(body: JsonObject, http_status: int) -> JsonObject:
    """The body, unless it is an error in spite of its HTTP status: `success` is true in KwikID's errors too, and their
    shapes are `{detail, message}` and `{msg}`. Raises VendorRefused, VendorUnavailable where it is too much at the
    moment, and AnswerUnreadable for an HTTP status that promises no verdict.
    """
    code = error_code(body)
    if code == 429:
        raise VendorUnavailable(f"kwikid: HTTP {http_status}, but the answer says 429", 429)
    if code is not None:
        raise VendorRefused(f"kwikid: HTTP {http_status}, but the answer says status_code {code}", http_status)
    if truth(body.get("success")) is False:
        raise VendorRefused(f"kwikid: HTTP {http_status}, but the answer says that it did not succeed", http_status)
    said = text(body.get("msg")) or (text(body.get("message")) if "detail" in body else None)
    if said is not None:
        raise VendorRefused(public_text(f"kwikid: HTTP {http_status}, but the answer says: {said}"), http_status)
    if http_status not in HTTP_VERDICT:
        raise AnswerUnreadable(f"kwikid: HTTP {http_status} promises no answer that counts", http_status)
    return body


def _error_beside(body: JsonObject) -> str | None:
    name = spoken_error(body)
    return f"not clear: beside the verdict stands `{name}`, as in an error" if name else None


def _doubts(body: JsonObject) -> Iterator[str]:
    """Why a first version's answer is no clear verdict."""
    yield from _unread(body, "facematch_result")
    if _nothing_seen(body):
        yield "not clear: KwikID had neither a picture nor a frame of a video"


def _doubts_v2(body: JsonObject) -> Iterator[str]:
    """Why a second version's answer is no clear verdict."""
    yield from _unread(body)
    for name in _BLOCKS:
        if _is_odd(body.get(name), compares=name == "image_video_facematch"):
            yield _cannot_be_read(name)


def _unread(body: JsonObject, *truths: str) -> Iterator[str]:
    """Verdicts that are there, but are not of their kind: they do not count as left out."""
    for name in ("result", "image_result"):
        if says(body.get(name)) and text(body.get(name)) is None:
            yield _cannot_be_read(name)
    yield from (_cannot_be_read(name) for name in ("overall_result", *truths) if unreadable(body.get(name)))


def _cannot_be_read(name: str) -> str:
    return f"not clear: `{name}` holds no verdict that can be read"


def _is_odd(block: JsonValue, *, compares: bool) -> bool:
    """Whether a block that took part, or may have done so, gives no clear word. The sibling fills the blocks of what
    was not sent with "N/A", null and "False".
    """
    if not isinstance(block, dict):
        return says(block)
    if spoken_error(block) is not None or any(unreadable(block.get(name)) for name in _FLAGS):
        return True
    if not _took_part(block):
        return False
    word = block.get("result")
    if (truth(word) if compares else text(word)) is not None:
        return any(name in block and truth(block[name]) is None for name in _FLAGS)  # nobody says what it is about
    return any(says(value) and truth(value) is not False for value in block.values())


def _nothing_seen(body: JsonObject) -> bool:
    """Whether KwikID says that it had no picture and no frame: a verdict then is about nobody."""
    frames = [number(body.get(name)) for name in ("video_frames_analyzed", "total_video_frames")]
    filmed = False if 0 in frames else truth(body.get("video_input"))
    return truth(body.get("image_input")) is False and filmed is False


def _compared(body: JsonObject) -> bool:
    """Whether a picture was held against a video: `facematch_result` is filled with "False" where none was."""
    given = [truth(body.get(name)) for name in ("image_input", "video_input")]
    return False not in given and number(body.get("facematch_frames_tested")) != 0


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
    """The worst thing that is said, first, unless a word is not known. A yes and a no together are for a person."""
    if any(word not in ("real", "fake") for word in said.faces):
        return _Verdict("In Review", note="the vendor's word for the face is not known")
    if "fake" in said.faces:
        return _no(fake_tag, contradicted=said.overall is True or not said.whole)
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
    said = [truth(block.get(name)) for name in _FLAGS]
    return bool(block) and False not in said


def _confidence(block: JsonObject) -> float | None:
    """The sibling sets `confidence` to 0 where the face is fake, and gives the number as `prediction_confidence`."""
    confidence = number(block.get("confidence"))
    return confidence or number(block.get("prediction_confidence"))
