"""The story for the person concerned: without what names other people, as far as a program can tell.

Look-alikes are other customers, and who acted by hand is staff. What people wrote in their own words stays: read it
before you hand it on.
"""

from __future__ import annotations

from typing import Any, Final

OTHER: Final = "[another person]"
STAFF: Final = "[staff]"
_OF_OTHERS: Final = frozenset(
    ("duplicated_session_id", "duplicated_session_number", "blocklisted_session_id", "blocklisted_session_number")
)
_OF_LOOK_ALIKES: Final = frozenset(("session_id", "session_number", "vendor_data"))
_ACTORS: Final = frozenset(("actor", "resolved_by", "author", "made_by"))


def for_person(value: Any) -> Any:
    """The document of a story with other people's names and numbers replaced."""
    if isinstance(value, list):
        return [for_person(each) for each in value]
    if not isinstance(value, dict):
        return value
    hidden = _OF_OTHERS | (_OF_LOOK_ALIKES if "similarity" in value else frozenset())
    path = str(value.get("path", "")).rpartition(".")[2]
    shown: dict[str, Any] = {}
    for name, each in value.items():
        if (name in hidden or (name == "value" and path in _OF_OTHERS)) and each is not None:
            shown[name] = OTHER
        else:
            shown[name] = _staff(each) if name in _ACTORS else for_person(each)
    return shown


def _staff(actor: Any) -> Any:
    return STAFF if isinstance(actor, str) and actor.startswith(("cli:", "token:")) else actor
