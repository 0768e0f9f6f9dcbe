"""The Transaction of the port, whole."""

from __future__ import annotations

import sqlite3

from receiver.store.sqlite.access import Access
from receiver.store.sqlite.desk import Desk
from receiver.store.sqlite.holds import Holds
from receiver.store.sqlite.intake import Intake
from receiver.store.sqlite.keychange import Keychange
from receiver.store.sqlite.ledger import Ledger
from receiver.store.vault import Vault


class SqliteTransaction(Intake, Holds, Desk, Keychange, Access):
    """What a job is given."""

    def __init__(self, connection: sqlite3.Connection, ledger: Ledger, vault: Vault, rejects_kept: int) -> None:
        super().__init__(connection, ledger, vault)
        self.rejects_kept = rejects_kept
