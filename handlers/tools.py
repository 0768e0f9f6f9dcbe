"""What handlers work with, and what a handler is before it is bound to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

from handlers.http import VendorClient
from handlers.images import ImageFetcher
from handlers.targets import Channel, Hook
from receiver.contract import ActionCall, Outcome

Run: TypeAlias = Callable[[Any, ActionCall], Awaitable[Outcome]]
"""Carries an action out, given its validated parameters (an instance of `spec.params`)."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What handlers work with: a client for each vendor that is configured, what fetches images, and the places of the
    operator's own that messages go to.
    """

    clients: Mapping[str, VendorClient]
    images: ImageFetcher
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)

    async def close(self) -> None:
        """Close all connections."""
        for client in self.clients.values():
            await client.close()
        for hook in self.hooks.values():
            await hook.close()
        await self.images.close()


Factory: TypeAlias = Callable[[Tools], Run | None]
"""Gives the function that carries an action out; None if its vendor is not configured."""

Vendor = TypeVar("Vendor")


def method_of(
    vendor: str,
    make: Callable[[VendorClient, ImageFetcher], Vendor],
    method: Callable[[Vendor, Any, ActionCall], Awaitable[Outcome]],
) -> Factory:
    """An action that is a method of a vendor's class, which is made of its client and the image fetcher."""

    def bound(tools: Tools) -> Run | None:
        client = tools.clients.get(vendor)
        return None if client is None else partial(method, make(client, tools.images))

    return bound
