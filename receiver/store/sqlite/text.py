"""Text on its way into SQLite, which holds UTF-8: lone surrogates of a sender's JSON become visible escapes."""

from __future__ import annotations

from typing import overload


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: str | None) -> str | None: ...
def storable(text: str | None) -> str | None:
    """The same text, with escapes where UTF-8 cannot hold it. Also for what is looked up by it."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
