"""Links in what is shown: a signed link is as good as the image behind it, for as long as it lives."""

from __future__ import annotations

import re
from typing import Any, Final

SHOWN: Final = "[link]"
_LINK = re.compile(r"(?:\b[a-z][a-z0-9+.-]{0,20}://|\bdata:[a-z]+/)[^\s\"'<>\\]+", re.IGNORECASE)


def without_links(value: Any) -> Any:
    """A JSON value with `[link]` in place of every link, in texts at any depth, and of whatever stands under `images`.
    Names of members stay.
    """
    if isinstance(value, str):
        return _LINK.sub(SHOWN, value) if ":" in value else value
    if isinstance(value, dict):
        return {name: _hidden(each) if name == "images" else without_links(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_links(each) for each in value]
    return value


def _hidden(images: Any) -> Any:
    """Each text a link, whatever it looks like."""
    if isinstance(images, dict):
        return {name: _hidden(each) for name, each in images.items()}
    if isinstance(images, list):
        return [_hidden(each) for each in images]
    return SHOWN if isinstance(images, str) and images else images
