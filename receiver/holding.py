"""Why an action waits for a person: what nobody signed does not charge, block, delete or decide by itself.

The operator may trust the source (`trust: true`), or name actions that read (`confirm`). What a rule does on the result
of such a reading goes ahead if the vendor's API says of the session what the delivery said: then it is the API that is
acted on, and whoever forged the delivery has only made us look. No more than session and status is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from receiver.contract import ActionSpec, Event
from receiver.settings import Settings
from receiver.signatures.settings import NoneVerify, StaticVerify

Held: TypeAlias = Callable[[Event, str], str | None]
"""(event, action) -> why the action waits for a person, None if it does not."""

NOT_CONFIRMED: Final = "what was read does not confirm the delivery"
_COMPARED: Final = ("session_id", "status")


def holds(settings: Settings, specs: Mapping[str, ActionSpec]) -> Held:
    """What the sources of a configuration hold back."""
    unproven = {
        name: source.verify
        for name, source in settings.sources.items()
        if isinstance(source.verify, StaticVerify | NoneVerify) and not source.verify.trust
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
    """Whether it charges, changes something, or tells another system what it will act on."""
    return spec.billable or spec.destructive or spec.sets_status or spec.target == "hooks"


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
