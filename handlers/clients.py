"""How each vendor's API is reached: one row a vendor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from handlers.didit.client import didit_client
from handlers.http import VendorClient
from handlers.kwikid import kwikid_client
from handlers.verifik import verifik_client
from receiver.extensions import Extended


class OpenClient(Protocol):
    """Makes a vendor's client. `timeout` is for a whole call, in seconds; `concurrency` bounds the calls at a time."""

    def __call__(self, base_url: str, api_key: str, timeout: float = 30.0, concurrency: int = 16) -> VendorClient:
        """Raises ValueError for a key that no header can carry."""
        ...


_OWN: Final[Mapping[str, OpenClient]] = {
    "didit": didit_client,
    "kwikid": kwikid_client,
    "verifik": verifik_client,
}


def _offered(_name: str, offered: object) -> OpenClient:
    if not callable(offered):
        raise TypeError("not a function that opens a client")
    return offered


CLIENTS: Final[Mapping[str, OpenClient]] = Extended("hookwarden.vendors", _OWN, _offered)
