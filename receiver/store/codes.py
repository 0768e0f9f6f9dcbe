"""The codes of files in the data folder that cannot be used as they are, with their meanings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from receiver.errors import ConfigurationError, Problem

STORE_CODES: Mapping[str, str] = {
    "S001": "the master key is missing, or is no key",
    "S002": "keys.db was made with another master key",
    "S003": "the record was made by a newer Hookwarden",
    "S004": "the record and keys.db do not belong together",
    "S005": "SQLite is too old",
    "S006": "the key that checkpoints are signed with is missing, or is no key",
    "S007": "the log was begun under another name",
}


def misfit(path: Path, code: str, message: str) -> ConfigurationError:
    """A file of the data folder that cannot be used as it is."""
    return ConfigurationError([Problem(str(path), 1, 1, "error", code, message)])
