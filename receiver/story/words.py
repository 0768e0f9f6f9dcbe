"""Plain words for what the record holds in short: relations, states, kinds of entries, paths of values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from receiver.story.tags import TAG_WORDS

RELATIONS: Final[Mapping[str, str]] = {  # of `would_change`: what would have had to be so
    "==": "were",
    "!=": "were there and not",
    "in": "were one of",
    "not in": "were there and none of",
    "present": "were there",
    "absent": "were not there",
    "contains": "had",
    "not contains": "did not have",
    "startsWith": "started with",
    "not startsWith": "did not start with",
    "endsWith": "ended with",
    "not endsWith": "did not end with",
    "<": "were below",
    "<=": "were at most",
    ">": "were above",
    ">=": "were at least",
}
VALUES: Final[Mapping[bool | None, str]] = {True: "true", False: "false", None: "undecided"}
VERDICTS: Final[Mapping[bool | None, str]] = {True: "applied", False: "did not apply", None: "could not be decided"}

STATES: Final[Mapping[str, str]] = {
    "planned": "planned, not started yet",
    "running": "under way",
    "waiting_retry": "waiting to be tried again",
    "awaiting_approval": "waiting for a person's approval",
    "done": "done",
    "noop": "nothing to do: it was so already",
    "failed": "failed for good",
    "dead": "given up after too many attempts or too long a time",
    "skipped": "not done on purpose",
    "rejected": "a person decided against it",
}
ATTEMPTS: Final[Mapping[str | None, str]] = {
    "done": "succeeded",
    "noop": "nothing to do: it was so already",
    "failed": "refused for good",
    "retry": "did not succeed, to be tried again",
    "lost": "interrupted: whether it took effect was not known",
    None: "under way",
}
UNSIGNED: Final[Mapping[str, str]] = {  # by the method of a receipt
    "none": "NOT SIGNED: nothing proves who sent it",
    "static": "NOT SIGNED: a shared header, no signature",
}
DEEDS: Final[Mapping[str, str]] = {
    "retry": "had it sent again",
    "discard": "gave it up",
    "approve": "approved it",
    "reject": "rejected it",
    "resolve": "closed the case",
    "replay": "had the event decided again",
    "call": "called",
}
_ENTRIES: Final[Mapping[tuple[str, str | None], str]] = {
    ("event", None): "an event came in and was stored",
    ("redelivery", None): "the event was delivered again, with other contents than before",
    ("decision", "decided"): "the policy decided",
    ("decision", "undecided"): "the policy could not decide",
    ("decision", "echo"): "recognised as the effect of our own call: nothing to decide",
    ("action", "planned"): "a call was planned",
    ("action", "awaiting_approval"): "a call was planned, and waits for a person's approval",
    ("action", "skipped"): "a call was not made on purpose",
    ("action", "done"): "a call succeeded",
    ("action", "noop"): "a call had nothing to do",
    ("action", "waiting_retry"): "a call did not succeed, and is to be tried again",
    ("action", "failed"): "a call failed for good",
    ("action", "dead"): "a call was given up",
    ("action", "lost"): "an attempt was interrupted",
    ("review", None): "a case for people was opened",
    ("label", None): "labels of the session were changed",
    ("operator", None): "a person acted",
    ("access", None): "sealed contents were read",
    ("erasure", None): "personal data was erased",
    ("prune", None): "data was removed after its time",
    ("loop", None): "a result was not decided: the policy had answered its own results too often",
}
_PATHS: Final[Mapping[str, str]] = {
    "event.status": "status that the vendor reported",
    "event.previous_status": "status before that",
    "event.type": "kind of event",
    "event.country": "country that issued the document",
    "event.vendor_data": "customer's number",
    "event.warnings": "the vendor's warnings",
    "event.tags": "the vendor's warnings, by name",
    "event.severity_max": "most severe warning",
    "event.liveness.status": "result of the liveness check",
    "event.liveness.score": "liveness score, 0 to 100",
    "event.liveness.age": "age estimated from the face",
    "event.liveness.method": "method of the liveness check",
    "event.liveness.face_quality": "quality of the face's picture",
    "event.liveness.face_luminance": "brightness of the face's picture",
    "event.face_match.status": "result of the comparison of face and document",
    "event.face_match.score": "likeness of face and document, 0 to 100",
    "event.matches": "similar faces that the vendor found",
    "event.document.type": "kind of document",
    "event.document.number": "document number",
    "event.document.age": "age by the document",
    "event.document.issuing_state": "country that issued the document",
    "event.document.nationality": "nationality by the document",
    "event.document.expiration_date": "expiry date of the document",
    "event.ip.country": "country of the connection",
    "event.ip.is_vpn": "connection through a VPN",
    "event.ip.is_datacenter": "connection from a data centre",
    "event.aml.score": "score of the watch-list search",
    "event.aml.total_hits": "hits of the watch-list search",
    "event.aml.hits": "entries that the watch-list search found",
    "event.phone": "phone number",
    "event.email": "e-mail address",
    "result.matches": "similar faces that the search found",
    "result.total_matches": "number of similar faces",
}


def tag_words(tag: str) -> str:
    """What a warning tag means; a tag that is not known is told by its name."""
    return TAG_WORDS.get(tag) or tag.replace("_", " ").lower()


def path_words(path: str) -> str | None:
    """What the value at a path is; None for a name of the policy's own."""
    if path.startswith("lists."):
        return "a list of the policy"
    return _PATHS.get(path)


def entry_words(kind: str, outcome: str | None) -> str:
    """What an entry of the record says happened."""
    return _ENTRIES.get((kind, outcome)) or _ENTRIES.get((kind, None)) or kind


def change_words(change: Mapping[str, Any], shown: str) -> str:
    """What `policy/would_change.py` found, such as `would be true if event.liveness.score were below 60.0`. `shown` is
    the value as text.
    """
    path, op = change["path"], change["op"]
    if op.startswith("size "):
        path, op = f"size({path})", op.removeprefix("size ")
    value = "" if op in ("present", "absent") else f" {shown}"
    return f"would be {VALUES[change['gives']]} if {path} {RELATIONS[op]}{value}"


def time_text(text: str | None) -> str:
    """`2026-11-20T21:00:00.123Z` as `2026-11-20 21:00:00.123 UTC`."""
    return "" if text is None else text.replace("T", " ").replace("Z", " UTC")
