"""What a signature scheme is: headers, raw body, secrets and the time in; a checked delivery or an exception out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from receiver.contract import JsonObject, Verified

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
"""As ASGI hands them over: in order, repeated ones repeated. Names are matched without regard to case."""

Signer: TypeAlias = Callable[[bytes, str, int], list[tuple[str, str]]]
"""(body, secret, timestamp in Unix seconds) -> the headers that a sender of the scheme would send."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A delivery that was verified and is fresh. `payload` is the body, parsed once for verifying and for all after."""

    verified: Verified
    payload: JsonObject


class Scheme(Protocol):
    """One way of signing. A module with such a function is a scheme."""

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: int, tolerance: int) -> Checked:
        """Check one delivery; `now` in Unix seconds, `tolerance` in seconds, inclusive.

        Raises SignatureRejected for whatever is not signed or not fresh, PayloadRejected for a body that is signed but
        not a JSON object, and nothing else, whatever the bytes.
        """
        ...
