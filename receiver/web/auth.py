"""Bearer tokens and what their roles may do."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from receiver.settings import Role, TokenSettings

_MAY: dict[str, frozenset[Role]] = {
    "read": frozenset({"reader", "pii_reader", "analyst", "operator"}),
    "read_raw": frozenset({"pii_reader", "operator"}),
    "explain": frozenset({"pii_reader", "analyst", "operator"}),
    "review": frozenset({"analyst", "operator"}),
    "try_policy": frozenset({"analyst", "operator"}),
    "operate": frozenset({"operator"}),
    "publish": frozenset({"operator"}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the token's name, which the record shows as the actor, and its role."""

    name: str
    role: Role

    def may(self, deed: str) -> bool:
        """Whether the role allows a deed: one of those above."""
        return self.role in _MAY[deed]


class Tokens:
    """The configured tokens. Compared as hashes, each one against the given token, so that time tells nothing."""

    def __init__(self, tokens: Sequence[TokenSettings]) -> None:
        self._tokens = [(_digest(token.token.encode()), Caller(token.name, token.role)) for token in tokens]

    def caller(self, request: Request) -> Caller | None:
        """Who sent the request, or None."""
        headers = request.headers.getlist("authorization")
        scheme, _, given = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
        if scheme.lower() != "bearer":
            return None
        digest = _digest(given.strip().encode("latin-1", "replace"))
        found = [caller for known, caller in self._tokens if hmac.compare_digest(known, digest)]
        return found[0] if found else None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
