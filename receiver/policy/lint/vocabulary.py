"""Words that are known at a place, and the one that a slip resembles."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from receiver.policy import codes

_ALIKE: Mapping[str, float] = {"tag": 0.8, "severity": 0.5}  # by noun
_MOSTLY = 0.7


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one kind, and what resembles what: comparing is slow, and policies repeat their words."""

    noun: str
    known: Collection[str]
    _resembled: dict[str, str | None] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The code of what is found."""
        return codes.RESEMBLING_TAG if self.noun == "tag" else codes.RESEMBLING_WORD

    def objection(self, word: str) -> str | None:
        """What is wrong with a word that is not known, but resembles a known one."""
        close = self.close(word)
        return f"unknown {self.noun} {word!r}; did you mean {close!r}?" if close else None

    def close(self, word: str) -> str | None:
        """The known word that an unknown one resembles."""
        if word in self.known:
            return None
        if word not in self._resembled:
            folded = {known.lower(): known for known in self.known}
            alike = _ALIKE.get(self.noun, _MOSTLY)  # from 0 to 1
            found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=alike)
            self._resembled[word] = folded[found[0]] if found else None
        return self._resembled[word]
