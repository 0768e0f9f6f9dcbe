"""An event as it is sealed, in parts: what is biometric apart from what is personal otherwise.

Biometric are the body as it was sent (it carries links to images and the vendor's checks of them), the members of the
document that tell of a face, and, of the result of an action, the action and the result.
"""

from __future__ import annotations

import json
from typing import Any, Final

from receiver.store.documents import dump
from receiver.store.sealing import Sealer, SubjectKey
from receiver.store.shapes import NewEvent
from receiver.store.sqlite.places import biometric_place, body_place, document_place

BIOMETRIC: Final = ("liveness", "face_match", "matches", "images")
_NONE: Final = dict.fromkeys(BIOMETRIC)

Sealed = tuple[bytes, bytes, bytes | None]
"""The sealed body, document and biometric members; None where it has none of these."""


def seal(new: NewEvent, key: SubjectKey, biometric: Sealer) -> Sealed:
    """Seal an event."""
    event, event_id = new.event, new.event_id
    document = event.document
    kept: dict[str, Any] = {"document": document, "subject": new.subject, "dedupe_key": event.dedupe_key}
    kept |= {"action": None, "result": None}
    faces: dict[str, Any] = {name: value for name in BIOMETRIC if (value := document[name])}
    if event.action is not None or event.result is not None:
        faces = {**faces, "action": event.action, "result": event.result}
    sealed = None
    if faces:
        kept = {**kept, "document": {**document, **_NONE}, "apart": True}
        sealed = biometric.seal(dump(faces), biometric_place(event_id))
    body = biometric.seal(new.body, body_place(event_id))
    return body, key.seal(dump(kept), document_place(event_id)), sealed


def opened(key: SubjectKey | None, event_id: str, document: bytes | None, biometric: bytes | None) -> Any:
    """What was sealed beside the body: `document`, `subject`, `dedupe_key`, `action`, `result`, and `erased`, which is
    true where the biometric members are gone, and null. None where all is.
    """
    plain = key.unseal(document, document_place(event_id)) if key is not None else None
    if key is None or plain is None:
        return None
    kept = json.loads(plain)
    kept["erased"] = False
    if "apart" in kept:
        faces = key.biometric.unseal(biometric, biometric_place(event_id)) if key.biometric is not None else None
        join(kept, None if faces is None else json.loads(faces))
    return kept


def join(kept: dict[str, Any], faces: dict[str, Any] | None) -> None:
    """Put the biometric members back in their place; None: they are gone."""
    gone = faces is None
    members = dict(faces or {})
    kept["erased"] = gone
    kept["action"], kept["result"] = members.pop("action", None), members.pop("result", None)
    if not gone:
        kept["document"]["matches"] = []  # what was empty was not sealed
        kept["document"].update(members)


def opened_body(key: SubjectKey | None, event_id: str, body: bytes | None, *, parted: bool) -> bytes | None:
    """The body as it was sent; None where it is gone. Before bodies were parted they had the personal key."""
    if key is None:
        return None
    sealer = key.biometric if parted else key
    return sealer.unseal(body, body_place(event_id)) if sealer is not None else None
