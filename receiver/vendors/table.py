"""The vendors by the name they have in config.yaml."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from receiver.contract import Event, JsonObject
from receiver.extensions import Extended
from receiver.vendors import didit, generic, kwikid, verifik

Normaliser: TypeAlias = Callable[[str, JsonObject], Event]
"""(name of the source, payload) -> Event. Raises nothing, whatever the JSON object. An empty dedupe key: the id that
the scheme signs is taken, else the hash of the body.
"""

_OWN: Mapping[str, Normaliser] = {
    "didit": didit.normalise,
    "kwikid": kwikid.normalise,
    "verifik": verifik.normalise,
    "generic": generic.normalise,
}


def _offered(_name: str, offered: object) -> Normaliser:
    if not callable(offered):
        raise TypeError("not a function (source, payload) -> Event")
    return offered


VENDORS: Mapping[str, Normaliser] = Extended("hookwarden.sources", _OWN, _offered)


def _opens(_name: str, offered: object) -> None:
    if not callable(offered):
        raise TypeError("not a function that opens a client")


API_VENDORS: Collection[str] = Extended("hookwarden.vendors", dict.fromkeys(("didit", "kwikid", "verifik")), _opens)
"""Whose APIs actions may call: the names that `vendors:` in config.yaml may have."""

BASE_PATHS = ("kwikid",)
"""Whose base_url may have a path: KwikID has no public host, and some deployments of it begin with one (`/sumi/v1`)."""
