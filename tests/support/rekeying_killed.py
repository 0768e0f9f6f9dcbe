"""Replaces the master key and dies of SIGKILL in the middle. Run by tests as

python -m tests.support.rekeying_killed FOLDER stage|keys|main [--all]

stage: the new key lies beside the old one; keys: keys.db is committed; main: the main database is too. Where FOLDER has
a config.yaml, the command line does it, else the store of that data folder.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from receiver.cli.main import main as command_line
from receiver.store.master import MasterFile
from receiver.store.sqlite.store import open_store
from receiver.store.vault import Vault
from tests.support.store_samples import NOW


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, after: str, *options: str) -> None:
    """Replace the key, and die."""
    settings = Path(folder) / "config.yaml"
    store = None if settings.exists() else open_store(Path(folder), clock=lambda: NOW)
    commit = Vault.commit

    def commit_and_die(vault: Vault) -> None:
        commit(vault)
        _die()

    if after == "stage":
        Vault.commit = _die  # type: ignore[method-assign, assignment]  # the instant that is tested
    elif after == "keys":
        Vault.commit = commit_and_die  # type: ignore[method-assign, assignment]  # likewise
    else:
        MasterFile.swap = _die  # type: ignore[method-assign, assignment]  # likewise
    if store is None:
        command_line(["audit", "rekey", "--config", str(settings), *options])
    else:
        store.rekey(None, "cli:ana", whole="--all" in options)


if __name__ == "__main__":
    main(*sys.argv[1:])
