"""Which of a vendor's words stand in the clear, in columns and leaves, where they outlive their person.

Tags, statuses and event types are codes, and are searched by. But a sender can write anything there: a link, a name, a
date of birth. So only what looks like a code, or is a known status, stands as it came; anything else stands as a keyed
hash of it, `[text 0123456789ab]`. The sealed document keeps the words, and rules read them there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from receiver.audit.search import Is, Search
from receiver.contract import FEATURE_STATUSES, SESSION_STATUSES

MARK: Final = "[text "  # begins what stands for other text
_STATUSES: Final = frozenset((*SESSION_STATUSES, *FEATURE_STATUSES))
# No blank, and at most five digits: sentences, links, addresses, dates, telephone numbers and identifiers are no codes.
_CODE: Final = re.compile(r"(?!(?:[^0-9]*[0-9]){6})[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_HASHED: Final = re.compile(r"\[text [0-9a-f]{12}\]")
_BYTES: Final = 6  # of the hash: equal texts are found, and none is told

Fingerprint = Callable[[bytes, str], bytes]
"""A keyed hash of a text, for a purpose."""


def in_clear(text: str, fingerprint: Fingerprint) -> str:
    """The text itself where it is a code or a known status; else what stands for it."""
    if _CODE.fullmatch(text) or text in _STATUSES:
        return text
    return f"{MARK}{fingerprint(b'text', text)[:_BYTES].hex()}]"


def as_stored(search: Search, fingerprint: Fingerprint) -> Search:
    """The same search for tags and statuses as they stand: by the words of the sender, or as a list showed them."""
    return Search(
        tuple(
            replace(term, value=in_clear(term.value, fingerprint))
            if isinstance(term, Is) and term.key in ("tag", "status") and not _HASHED.fullmatch(term.value)
            else term
            for term in search.terms
        )
    )
