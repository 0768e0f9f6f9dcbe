"""What a signature scheme is: headers, raw body and the time in; a checked delivery or an exception out. Secrets and
tolerance are inside: a scheme is made from the settings of one source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from receiver.contract import JsonObject, Verified

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
"""As ASGI hands them over: in order, repeated ones repeated. Names are matched without regard to case."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A delivery that was verified and is fresh. `payload` is the body, parsed once for verifying and for all after;
    `delivery_id` is what the scheme itself signs as the event's id, the same on every retry.
    """

    verified: Verified
    payload: JsonObject
    delivery_id: str | None = None


Scheme: TypeAlias = Callable[[Headers, bytes, int], Checked]
"""(headers, body, now in Unix seconds) -> Checked.

Raises SignatureRejected for whatever is not signed or not fresh, PayloadRejected for a body that is signed but not a
JSON object, and nothing else, whatever the bytes. The signature is looked at before the time, so that who cannot sign
learns nothing of the window.
"""

SentHeaders: TypeAlias = list[tuple[str, str]]
