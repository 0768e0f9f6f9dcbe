"""Which findings are not for everybody. Settings hold secrets, and a slip puts one where a message quotes it: as a key,
as the name of a file. Who may not change the settings, and the log, are told where a finding stands and its code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from receiver.errors import Problem
from receiver.textfiles import shown

SAID: Final = "a finding in the settings: `hookwarden check` says what, and so does GET /api/policy to an operator"
_OF_POLICY: Final = "PW"  # findings with these codes are about the policy, also where it stands in config.yaml
_HARMLESS: Final = ("C009", "C010")  # so are these; they quote names of actions and numbers


def without_settings(problems: Iterable[Problem], configuration: Path) -> tuple[Problem, ...]:
    """The findings, those about the settings without what they say."""
    places = {shown(configuration), str(configuration)}
    return tuple(replace(found, message=SAID) if _is_of_settings(found, places) else found for found in problems)


def _is_of_settings(problem: Problem, places: set[str]) -> bool:
    return problem.path in places and problem.code[0] not in _OF_POLICY and problem.code not in _HARMLESS
