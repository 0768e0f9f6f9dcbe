"""Every action by name: what a policy may call. Who carries it out is in `registry.py`, which imports HTTP clients."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from handlers.didit.specs import SPECS as DIDIT
from handlers.extend import read_spec
from handlers.kwikid_specs import SPECS as KWIKID
from handlers.label import LABEL
from handlers.messages import HTTP_POST, NOTIFY
from handlers.review import REVIEW
from handlers.verifik_specs import SPECS as VERIFIK
from receiver.contract import ActionSpec
from receiver.extensions import Extended

_OWN: Mapping[str, ActionSpec] = {
    spec.name: spec for spec in (*DIDIT, *KWIKID, *VERIFIK, NOTIFY, HTTP_POST, REVIEW, LABEL)
}
SPECS: Mapping[str, ActionSpec] = Extended("hookwarden.actions", _OWN, read_spec)

VENDORS: frozenset[str] = frozenset(spec.vendor for spec in _OWN.values() if spec.vendor)
"""Whose APIs our own actions call."""


def unconfigured(names: Iterable[str], configured: Container[str]) -> list[tuple[str, str]]:
    """Those of the named actions that `registry.bind` would leave out because their vendor is not configured, each with
    its vendor, sorted. Names that no action has are the policy checker's to report.
    """
    specs = [SPECS[name] for name in sorted(set(names)) if name in SPECS]
    return [(spec.name, spec.vendor) for spec in specs if spec.vendor and spec.vendor not in configured]
