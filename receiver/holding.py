"""Why an action waits for a person: what nobody signed does not charge, block, delete or decide by itself.

The operator may trust the source (`trust: true`), or name actions that read (`confirm`). What a rule does on the result
of such a reading goes ahead if the vendor's API says of the session what the delivery said: then it is the API that is
acted on, and whoever forged the delivery has only made us look. No more than session and status is compared: so all
else that nobody has read is taken out of the event of a result, and neither rules nor handlers are given it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from receiver.contract import ActionSpec, Event, EventDocument, JsonObject
from receiver.settings import Settings
from receiver.signatures.settings import NoneVerify, StaticVerify, VerifySettings

Held: TypeAlias = Callable[[Event, str], str | None]
"""(event, action) -> why the action waits for a person, None if it does not."""

Bare: TypeAlias = Callable[[EventDocument, JsonObject], EventDocument | None]
"""(what the delivery says, a result) -> what of it may be believed beside the result; None: all of it."""

NOT_CONFIRMED: Final = "what was read does not confirm the delivery"
_COMPARED: Final = ("session_id", "status")
_OURS: Final = ("source", "vendor", "vendor_event_id", "type", "stale", "echo")
_LISTS: Final = ("warnings", "tags", "matches")


def holds(settings: Settings, specs: Mapping[str, ActionSpec]) -> Held:
    """What the sources of a configuration hold back."""
    unproven = {
        name: verify for name, source in settings.sources.items() if (verify := unproven_by(source.verify)) is not None
    }
    kept = {name for name, spec in specs.items() if _is_weighty(spec)}
    confirming = {name for verify in unproven.values() for name in verify.confirm if _may_confirm(name, specs)}

    def held(event: Event, action: str) -> str | None:
        verify = unproven.get(event.document["source"])
        if verify is None or (action in specs and action not in kept):
            return None
        read = _read_by(event)
        if read in verify.confirm and read in confirming:
            return None if _confirms(event) else NOT_CONFIRMED
        return f"the event is not signed (scheme {verify.scheme}), and the source is not trusted"

    return held


def bares(settings: Settings) -> Bare:
    """What of a delivery stands in the event of a result: of an unproven source, no field that was not read."""
    unproven = {name for name, source in settings.sources.items() if unproven_by(source.verify) is not None}

    def bare(document: EventDocument, result: JsonObject) -> EventDocument | None:
        return _borne_out(document, result) if document["source"] in unproven else None

    return bare


def unproven_by(verify: VerifySettings) -> StaticVerify | NoneVerify | None:
    """How a source proves itself, if that proves nothing and the operator does not trust it all the same."""
    return verify if isinstance(verify, StaticVerify | NoneVerify) and not verify.trust else None


def no_reader(spec: ActionSpec) -> str | None:
    """Why an action cannot confirm a delivery, None if it can."""
    if spec.vendor is None:
        return "it asks no vendor"
    if spec.billable:
        return "it is billable: whoever sends unsigned deliveries would spend your money"
    if _is_weighty(spec):
        return "it changes something"
    if spec.result is not None and not set(_COMPARED) <= set(spec.result.__annotations__):
        return "its result names no session with its status"
    return None


def _may_confirm(name: str, specs: Mapping[str, ActionSpec]) -> bool:
    return name in specs and no_reader(specs[name]) is None


def _is_weighty(spec: ActionSpec) -> bool:
    """Whether it charges, changes something, or carries what an unknown sender wrote to others."""
    return spec.billable or spec.destructive or spec.sets_status or spec.target is not None


def _read_by(event: Event) -> object:
    """The action whose result the event is. The type says nothing: a delivery may call itself what it likes."""
    return event.action["name"] if event.action is not None else None


def _confirms(event: Event) -> bool:
    """Whether session and status are there, and the same, in the delivery and in what was read. Both are in the words
    of the vendor's normaliser already, so they are compared as they stand.
    """
    result = event.result or {}
    said = (event.document["session_id"], event.document["status"])
    return all(said) and said == tuple(result.get(name) for name in _COMPARED)


def _borne_out(document: EventDocument, result: JsonObject) -> EventDocument:
    """Session and status stay as delivered, to be compared; of all else what the result says too, word for word."""
    kept = {*_OURS, *_COMPARED}
    left = {
        name: value if name in kept or (name in result and result[name] == value) else _nothing(name)
        for name, value in document.items()
    }
    return cast("EventDocument", left)


def _nothing(name: str) -> list[object] | None:
    return [] if name in _LISTS else None
