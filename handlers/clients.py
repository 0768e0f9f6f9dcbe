"""How each vendor's API is reached: one row a vendor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from handlers.didit import didit_client
from handlers.http import VendorClient


class OpenClient(Protocol):
    """Makes a vendor's client. `timeout` is for a whole call, in seconds."""

    def __call__(self, base_url: str, api_key: str, timeout: float) -> VendorClient:
        """Raises ValueError for a key that no header can carry."""
        ...


CLIENTS: Final[Mapping[str, OpenClient]] = {
    "didit": didit_client,
}
