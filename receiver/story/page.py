"""A session's story as one HTML file to read and to print: no scripts, nothing from elsewhere, everything escaped.

Strangers wrote parts of what is shown. Markup is escaped by the template engine; characters that would steer the text
(controls, direction overrides, invisible ones) are written out as escapes; long values are cut, and say so.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from receiver.story.summary import counted
from receiver.story.words import VALUES, time_text

LONGEST: Final = 400  # characters of one value


def page(document: Mapping[str, Any]) -> str:
    """The document of `receiver/story/tell.py` as a page."""
    return _environment().get_template("page.html.j2").render(story=document)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("receiver.story", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(value=value_text, verdict=lambda value: VALUES[value], time=time_text)
    environment.globals.update(counted=counted)
    return environment


def value_text(value: Any) -> str:
    """A value as JSON on one line, cut where it gets long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text)} characters)"


def _visible(value: Any) -> Any:
    """Texts with what cannot be seen written out. What the template itself marked as safe is a text of ours."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    text = value if len(value) <= LONGEST * 10 else f"{value[: LONGEST * 10]} ... ({len(value)} characters)"
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character in "\n\t" else repr(character)[1:-1]
        for character in text
    )
