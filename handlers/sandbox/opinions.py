"""What other vendors than Didit think of a face: as Didit's simulator does of the cast, unless told otherwise.

A face is known by the hash of its picture (`images.fingerprint`). One that is not of the cast is live.
"""

from __future__ import annotations

from hashlib import sha256

from handlers.sandbox.cast import PARTS, selfie_of
from handlers.sandbox.images import fingerprint


class Opinions:
    """Scores from 0 to 1 by face, and for pictures that are not scored the reason. `seed` draws those of strangers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._scores = {fingerprint(selfie_of(part)): part.liveness_score / 100 for part in PARTS.values()}
        self.reasons: dict[str, str] = {}

    def set_score(self, face: str, score: float) -> None:
        """Say how live a face looks to the other vendors, 0 to 1."""
        self._scores[face] = score

    def score(self, face: str) -> float:
        """How live a face looks, 0 to 1, rounded to four places."""
        if face not in self._scores:
            drawn = sha256(f"{self._seed}:opinion:{face}".encode()).digest()
            return round(0.9 + drawn[0] / 2560, 4)
        return round(self._scores[face], 4)
