"""From raw bytes to an arrival: verify, parse, normalise. Pure but for the time, which is handed in, and for keys that
a vendor publishes, which are fetched before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from receiver.contract import RESULT_PREFIX, Event
from receiver.errors import PayloadRejected, SignatureRejected
from receiver.holding import unproven_by
from receiver.keyring import Fetch, KeyRing
from receiver.mapping import reading
from receiver.record import Arrival
from receiver.settings import Settings, SourceSettings
from receiver.signatures import jwt_es256
from receiver.signatures.challenge import challenge_by_token, challenge_of
from receiver.signatures.scheme import Headers, Scheme
from receiver.signatures.settings import TOLERANCE, FetchSettings, HmacVerify, JwtVerify
from receiver.signatures.table import scheme_of
from receiver.vendors import generic
from receiver.vendors.table import VENDORS, Normaliser

_NOT_OURS = f"the event's type begins with `{RESULT_PREFIX}`, as only the results of our own actions do"
FetcherOf: TypeAlias = Callable[[FetchSettings], Fetch]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A vendor asks whether the URL is ours, and wants this text back. Nothing happened, nothing is stored."""

    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """One configured source of webhooks. `challenged` are the secrets by which a handshake may prove itself, if the
    vendor has handshakes. `proven`: the sender is known, or trusted without being known.
    """

    name: str
    scheme: Scheme = field(repr=False)
    normalise: Normaliser
    keys: tuple[JwtVerify, KeyRing] | None = None
    challenged: tuple[str, ...] | None = field(default=None, repr=False)
    proven: bool = True

    async def prepare(self, headers: Headers) -> None:
        """Fetch the key that a delivery names, if it is not known. Raises StoreUnavailable where it cannot be."""
        if self.keys is not None:
            settings, ring = self.keys
            kid = jwt_es256.kid_of(settings, headers)
            if kid is not None:
                await ring.prepare(kid)

    def receive(self, headers: Headers, body: bytes, received_at: int) -> Arrival | Challenge:
        """Check one delivery. Raises SignatureRejected or PayloadRejected, and nothing else, whatever the bytes."""
        try:
            checked = self.scheme(headers, body, received_at // 1000)
        except SignatureRejected:
            text = challenge_by_token(body, self.challenged) if self.challenged else None
            if text is None:
                raise
            return Challenge(text)
        text = challenge_of(checked.payload) if self.challenged else None
        if text is not None:
            return Challenge(text)
        event = _identified(self.normalise(self.name, checked.payload), checked.delivery_id, body)
        if event.document["type"].startswith(RESULT_PREFIX):
            raise PayloadRejected(_NOT_OURS)
        if not self.proven:
            event = _unproven(event, body, received_at // 1000)
        return Arrival(self.name, event, body, checked.verified, received_at)


def sources(settings: Settings, fetcher_of: FetcherOf | None = None) -> Mapping[str, Source]:
    """The sources of a configuration, by name. Without `fetcher_of`, only keys in the configuration are known."""
    return {name: _source(name, source, fetcher_of) for name, source in settings.sources.items()}


def _source(name: str, source: SourceSettings, fetcher_of: FetcherOf | None) -> Source:
    verify = source.verify
    normalise = generic.normaliser(reading(source.map)) if source.map else VENDORS[source.vendor]
    if isinstance(verify, JwtVerify):
        book = jwt_es256.book_of(verify)
        ring = KeyRing(book, fetcher_of(verify.fetch)) if verify.fetch and fetcher_of else None
        return Source(name, scheme_of(verify, book), normalise, (verify, ring) if ring else None)
    challenged = verify.secrets if isinstance(verify, HmacVerify) and verify.challenge else None
    return Source(name, scheme_of(verify), normalise, challenged=challenged, proven=unproven_by(verify) is None)


def _identified(event: Event, delivery_id: str | None, body: bytes) -> Event:
    """The event with a dedupe key: its own id, else the one that the scheme signs, else the hash of the body."""
    if event.document["vendor_event_id"] is None and delivery_id is not None:
        return replace(event, document={**event.document, "vendor_event_id": delivery_id}, dedupe_key=delivery_id)
    if not event.dedupe_key:
        return replace(event, dedupe_key=_hash_of(body))
    return event


def _unproven(event: Event, body: bytes, now: int) -> Event:
    """What nobody signed can neither be from tomorrow, and make all that comes until then stale, nor take the id of a
    true event before that one comes: only the same bytes are the same delivery.
    """
    at = event.occurred_at
    latest = now + round(TOLERANCE)
    key, content = event.dedupe_key, _hash_of(body)
    return replace(
        event,
        occurred_at=None if at is None else min(at, latest),
        dedupe_key=key if key == content else f"{key} {content}",
    )


def _hash_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
