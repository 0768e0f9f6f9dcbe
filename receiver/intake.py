"""From raw bytes to an arrival: verify, parse, normalise. Pure but for the time, which is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from receiver.record import Arrival
from receiver.settings import Settings
from receiver.signatures.scheme import Headers, Scheme
from receiver.signatures.table import SCHEMES
from receiver.vendors.table import VENDORS, Normaliser


@dataclass(frozen=True, slots=True)
class Source:
    """One configured source of webhooks. `tolerance` is in seconds."""

    name: str
    scheme: Scheme
    secrets: tuple[str, ...] = field(repr=False)
    tolerance: int
    normalise: Normaliser

    def receive(self, headers: Headers, body: bytes, received_at: int) -> Arrival:
        """Check one delivery. Raises SignatureRejected or PayloadRejected, and nothing else, whatever the bytes."""
        checked = self.scheme.verify(headers, body, self.secrets, received_at // 1000, self.tolerance)
        event = self.normalise(self.name, checked.payload)
        return Arrival(self.name, event, body, checked.verified, received_at)


def sources(settings: Settings) -> Mapping[str, Source]:
    """The sources of a configuration, by name."""
    return {
        name: Source(
            name,
            SCHEMES[source.verify.scheme],
            source.verify.secrets,
            int(source.verify.tolerance),
            VENDORS[source.vendor],
        )
        for name, source in settings.sources.items()
    }
