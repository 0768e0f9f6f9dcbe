"""KwikID's Video Flow (VKYC) webhooks, as far as they are known.

Known: there are four events, Maker and Checker, Approved and Rejected. Not published: how they are spelt on the wire
and in which field, the payload, an id, a time, a signature. So no field is assumed. An event is recognised where one
text at the top of the payload says exactly one of these four names, whatever its case and separators; everything else
is `unknown`, and `raw` holds the payload for rules to read. `session_id` is the name that KwikID's own look-up of a
session takes; a text of that name at the top is taken for it.

Maker Approved is In Review (a checker follows), Checker Approved is Approved, either Rejected is Declined. Nothing
tells the order of two events; without an id, a body that comes again, byte for byte, is the same event.
"""

from __future__ import annotations

import re

from receiver.contract import Event, EventDocument, JsonObject
from receiver.vendors.empty import empty_document, said

_STATUSES = {
    "makerapproved": "In Review",
    "makerrejected": "Declined",
    "checkerapproved": "Approved",
    "checkerrejected": "Declined",
}
_SEPARATORS = re.compile(r"[\s._-]+")
_LONGEST_NAME = 40


def normalise(source: str, payload: JsonObject) -> Event:
    """The event that `payload` tells of. Raises nothing, whatever the JSON object."""
    found = {name: _squeezed(name) for value in payload.values() if (name := said(value)) and _squeezed(name)}
    event = next(iter(found)) if len(set(found.values())) == 1 else None  # two different ones: not known which
    document: EventDocument = {
        **empty_document(source, "kwikid"),
        "type": event or "unknown",
        "session_id": said(payload.get("session_id")),
        "status": _STATUSES[found[event]] if event else None,
    }
    return Event(document, payload, None, dedupe_key="")


def _squeezed(name: str) -> str:
    """The key of `_STATUSES` that a text spells, or an empty text."""
    squeezed = _SEPARATORS.sub("", name).lower() if len(name) <= _LONGEST_NAME else ""
    return squeezed if squeezed in _STATUSES else ""
