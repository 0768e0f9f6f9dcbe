"""Erases a person and dies of SIGKILL in the middle. Run by tests as

python -m tests.support.erasing_killed FOLDER SUBJECT forget|keys|main

forget: everything was done and nothing committed; keys: keys.db is committed; main: both databases are.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from receiver.store.sqlite.store import open_store
from receiver.store.sqlite.writer import Writer
from receiver.store.vault import Vault
from tests.support.store_samples import NOW


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, subject: str, after: str) -> None:
    """Erase, and die."""
    store = open_store(Path(folder), clock=lambda: NOW)
    ref = store.submit(lambda tx: tx.find_person(subject, None, "all")).result().ref
    assert ref is not None
    commit = Vault.commit

    def commit_and_die(vault: Vault) -> None:
        commit(vault)
        _die()

    if after == "keys":
        Vault.commit = commit_and_die  # type: ignore[method-assign, assignment]  # the instant that is tested
    elif after == "forget":
        Vault.commit = _die  # type: ignore[method-assign, assignment]  # likewise
    else:
        Writer._wake = _die  # type: ignore[method-assign, assignment]  # likewise
    store.submit(lambda tx: tx.erase(ref, "all", "cli:ana", NOW, "")).result()
    _die()


if __name__ == "__main__":
    main(*sys.argv[1:])
