"""Didit's documents read for what the actions need. Pure: JSON in, values out; every field may be missing or null.

Facts: docs.didit.me; where versions differ, both shapes are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

from handlers.hidden_errors import HTTP_VERDICT, error_code, spoken_error
from handlers.liveness import kept, number
from handlers.redact import redact
from receiver.contract import JsonObject, JsonValue
from receiver.errors import AnswerUnreadable

_Places = tuple[tuple[str, str, str], ...]

# selfies before the chip's photo before the document's; V3 decisions hold lists, V2 ones a single object
_FACES: _Places = (
    ("liveness_checks", "liveness", "reference_image"),
    ("face_matches", "face_match", "target_image"),
    ("nfc_verifications", "nfc", "portrait_image"),
    ("id_verifications", "id_verification", "portrait_image"),
)
_PORTRAITS: _Places = (
    ("nfc_verifications", "nfc", "portrait_image"),
    ("id_verifications", "id_verification", "portrait_image"),
    ("face_matches", "face_match", "source_image"),
)
_FRONTS: _Places = (("id_verifications", "id_verification", "front_image"),)
_BACKS: _Places = (("id_verifications", "id_verification", "back_image"),)
_WARNING_DATA = (
    "duplicated_session_id",
    "duplicated_session_number",
    "blocklisted_session_id",
    "blocklisted_session_number",
    "api_service",
)


class FoundWarning(TypedDict):
    """What Didit warns of in the answer to a check."""

    tag: str | None
    severity: str | None
    data: JsonValue


def image_link(decision: JsonObject) -> str | None:
    """The best face image of a session: a signed link that lives for an hour at most, so a secret, and soon useless."""
    return _link(decision, _FACES)


def portrait_link(decision: JsonObject) -> str | None:
    """The photo of the chip, else of the document: what a selfie is compared with. A secret, as above."""
    return _link(decision, _PORTRAITS)


def front_link(decision: JsonObject) -> str | None:
    """The front of the identity document. A secret, as above."""
    return _link(decision, _FRONTS)


def back_link(decision: JsonObject) -> str | None:
    """The back of the identity document. A secret, as above."""
    return _link(decision, _BACKS)


def _link(decision: JsonObject, places: _Places) -> str | None:
    for plural, singular, name in places:
        for item in (*objects(decision.get(plural)), *objects([decision.get(singular)])):
            link = item.get(name)
            if isinstance(link, str) and link:
                return link
    return None


def feature(answer: JsonObject, name: str, http_status: int) -> JsonObject:
    """The part of a standalone answer that was asked for. Raises AnswerUnreadable where it is not there, or is no
    verdict: beside an error, with an HTTP status that promises none, or Declined for no score and no warning, which no
    text has.
    """
    found = answer.get(name)
    if not isinstance(found, dict):
        raise AnswerUnreadable(f"didit: the answer holds no {name}", http_status)
    refuse_hidden_error(answer, http_status)
    if http_status not in HTTP_VERDICT or spoken_error(found, states=()) is not None:
        raise AnswerUnreadable(f"didit: the answer's {name} is no verdict", http_status)
    groundless = number(found.get("score")) is None and not tags(found_warnings(found))
    if text(found.get("status")) == "Declined" and groundless:
        raise AnswerUnreadable(f"didit: the answer's {name} is Declined for no reason", http_status)
    return found


def refuse_hidden_error(answer: JsonObject, http_status: int) -> JsonObject:
    """The answer, unless it speaks of an error in spite of its HTTP status. Raises AnswerUnreadable then: what was
    wanted may have happened.
    """
    if error_code(answer) is not None or spoken_error(answer, states=()) is not None:
        raise AnswerUnreadable(f"didit: HTTP {http_status}, but the answer speaks of an error", http_status)
    return answer


def refuse_hidden_no(answer: JsonValue, http_status: int) -> None:
    """Raises AnswerUnreadable where a 2xx that need not hold anything speaks of an error all the same: what was wanted
    may not have happened, and must not get on record as done. A `message` is none: Didit's yeses have one.
    """
    if isinstance(answer, dict):
        refuse_hidden_error({name: value for name, value in answer.items() if name != "message"}, http_status)


def found_warnings(found: JsonObject) -> list[FoundWarning]:
    """The warnings of a standalone answer, in the order in which they came."""
    return [_warning(item) for item in objects(found.get("warnings"))]


def tags(warnings: Iterable[FoundWarning]) -> list[str]:
    """The tags of warnings, each once."""
    return list(dict.fromkeys(warning["tag"] for warning in warnings if warning["tag"] is not None))


def _warning(item: JsonObject) -> FoundWarning:
    """`data` keeps only the documented fields, which point to sessions and name nobody."""
    data = item.get("additional_data")
    known: JsonObject = {name: data[name] for name in _WARNING_DATA if name in data} if isinstance(data, dict) else {}
    return {"tag": text(item.get("risk")), "severity": text(item.get("log_type")), "data": known or None}


def extra(document: JsonObject, known: Iterable[str]) -> JsonValue:
    """What an answer holds beside the known fields, redacted; null where that is nothing, or too much."""
    rest = {name: value for name, value in document.items() if name not in known}
    return kept(rest) if rest else None


def readable_decision(decision: JsonObject) -> JsonObject:
    """A decision without anything that opens a door: every link cut down to its host, images and tokens gone."""
    return redact(decision, every_link=True)


def objects(value: JsonValue) -> Iterator[JsonObject]:
    """The objects of a list; none where it is no list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def text(value: JsonValue) -> str | None:
    """A text; None for anything else."""
    return value if isinstance(value, str) else None


def flag(value: JsonValue) -> bool | None:
    """A truth value; None for anything else."""
    return value if isinstance(value, bool) else None
