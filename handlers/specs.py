"""Every action by name: what a policy may call. Who carries it out is in `registry.py`, which imports HTTP clients."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from handlers.didit_specs import BLOCKLIST_ADD, BLOCKLIST_REMOVE, DECISION, FACE_SEARCH, UPDATE_STATUS
from handlers.label import LABEL
from handlers.review import REVIEW
from receiver.contract import ActionSpec

SPECS: Mapping[str, ActionSpec] = {
    spec.name: spec for spec in (FACE_SEARCH, BLOCKLIST_ADD, BLOCKLIST_REMOVE, UPDATE_STATUS, DECISION, REVIEW, LABEL)
}


VENDORS: frozenset[str] = frozenset(spec.vendor for spec in SPECS.values() if spec.vendor)
"""Whose APIs actions call: what `vendors:` may name."""


def unconfigured(names: Iterable[str], configured: Container[str]) -> list[tuple[str, str]]:
    """Those of the named actions that `registry.bind` would leave out because their vendor is not configured, each with
    its vendor, sorted. Names that no action has are the policy checker's to report.
    """
    specs = [SPECS[name] for name in sorted(set(names)) if name in SPECS]
    return [(spec.name, spec.vendor) for spec in specs if spec.vendor and spec.vendor not in configured]
