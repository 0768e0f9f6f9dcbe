"""What can go wrong at a vendor, on demand: next N times, or with a probability from a seeded generator."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

ANSWER_FAULTS: Final = (
    "rate_limited",
    "error_500",
    "error_503",
    "unauthorized",
    "forbidden",
    "drop",
    "slow",
    "malformed_json",
    "oversized",
    "wrong_content_type",
    "error_in_200",
)
"""Faults of the answer to a call, in the order in which they are drawn."""


class Fault(BaseModel):
    """How often one kind of fault strikes, and how.

    `next`: the next N calls that it fits; `probability`: any other call, 0 to 1. `path`: only calls whose path contains
    it. `after_effect`: the call takes effect first and only its answer is lost (faults that spoil an answer always do).
    `seconds`: how slow, how late, or the Retry-After of a 429 or 503. `size`: bytes of an oversized answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: float = Field(default=0.0, ge=0.0, le=1.0)
    next: int = Field(default=0, ge=0)
    path: str = ""
    after_effect: bool = False
    seconds: float = Field(default=1.0, ge=0.0)
    size: int = Field(default=16 * 1024 * 1024, ge=1)


class Faults(BaseModel):
    """Every kind of fault; what is left out does not happen. The last two strike outgoing webhooks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    rate_limited: Fault = Fault()
    error_500: Fault = Fault()
    error_503: Fault = Fault()
    unauthorized: Fault = Fault()
    forbidden: Fault = Fault()
    drop: Fault = Fault()
    slow: Fault = Fault()
    malformed_json: Fault = Fault()
    oversized: Fault = Fault()
    wrong_content_type: Fault = Fault()
    error_in_200: Fault = Fault()
    duplicate_webhook: Fault = Fault()
    late_webhook: Fault = Fault()


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that hits this call."""

    kind: str
    fault: Fault


class FaultDice:
    """Says for each call whether it is hit; holds what is left of every `next`."""

    def __init__(self, faults: Faults) -> None:
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Begin anew with these faults and their seed."""
        self.faults = faults
        self._random = Random(faults.seed)  # noqa: S311 - repeatable faults, no secret
        self._left: dict[str, int] = {}

    def draw(self, path: str) -> Strike | None:
        """The fault of the answer to a call to `path`, if it is hit by one: the first kind that strikes."""
        for kind in ANSWER_FAULTS:
            if strike := self.draw_kind(kind, path):
                return strike
        return None

    def draw_kind(self, kind: str, path: str = "") -> Strike | None:
        """Whether this kind of fault strikes here."""
        fault: Fault = getattr(self.faults, kind)
        if fault.path not in path:
            return None
        left = self._left.get(kind, fault.next)
        if left:
            self._left[kind] = left - 1
            return Strike(kind, fault)
        if fault.probability and self._random.random() < fault.probability:
            return Strike(kind, fault)
        return None
