"""The vendors by the name they have in config.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from receiver.contract import Event, JsonObject
from receiver.vendors import didit

Normaliser: TypeAlias = Callable[[str, JsonObject], Event]
"""(name of the source, payload) -> Event. Raises nothing, whatever the JSON object."""

VENDORS: Mapping[str, Normaliser] = {
    "didit": didit.normalise,
}

API_VENDORS = ("didit",)
"""Whose APIs actions may call: the names that `vendors:` in config.yaml may have."""
