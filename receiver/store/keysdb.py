"""The tables of `keys.db`, and every statement on them. What they mean is told in `receiver/store/vault.py`."""

from __future__ import annotations

from typing import Final, TypeAlias

SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subject_key (
  subject   BLOB NOT NULL,                      -- keyed hash of the subject
  class     TEXT NOT NULL DEFAULT 'personal',   -- what `wrapped` is the key of
  ref       BLOB NOT NULL,                      -- what the main database calls the subject
  wrapped   BLOB NOT NULL,
  made_at   INTEGER NOT NULL,                   -- Unix ms
  biometric BLOB,                               -- the key for biometric data, wrapped; null: destroyed, or not made yet
  PRIMARY KEY (subject, class),
  UNIQUE (ref, class)
) WITHOUT ROWID;
-- What was destroyed; `open` while the main database has not followed yet. Tells nothing to who has not the secret.
CREATE TABLE IF NOT EXISTS erasure (
  subject BLOB NOT NULL,
  ref     BLOB NOT NULL,
  extent  TEXT NOT NULL,                        -- all, biometric
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL,
  open    INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (subject, ref, extent, at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS erasure_open ON erasure (ref) WHERE open;
"""
ADD_COLUMN = "ALTER TABLE subject_key ADD COLUMN biometric BLOB"  # of a file that an older program made
HAS_COLUMN = "SELECT 1 FROM pragma_table_info('subject_key') WHERE name = 'biometric'"
INDEX_KEY = "SELECT wrapped FROM secret WHERE name = 'index'"
ADD_SECRETS = "INSERT OR IGNORE INTO secret VALUES ('kek', ?), ('index', ?)"
LOCKED = "SELECT wrapped, name FROM secret WHERE name IN ('kek', 'index') ORDER BY name DESC LIMIT 1"
PUT_WRAPPED = "INSERT INTO secret VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET wrapped = excluded.wrapped"
BY_SUBJECT = "SELECT ref, wrapped, biometric FROM subject_key WHERE subject = ? AND class = 'personal'"
BY_REF = "SELECT ref, wrapped, biometric FROM subject_key WHERE ref = ? AND class = 'personal'"
BY_REFS = "SELECT ref, wrapped, biometric FROM subject_key WHERE ref IN ({}) AND class = 'personal'"
ADD_KEY = "INSERT INTO subject_key (subject, ref, wrapped, biometric, made_at) VALUES (?, ?, ?, ?, ?)"
SET_BIOMETRIC = "UPDATE subject_key SET biometric = ? WHERE ref = ?"
DESTROY: Final = {
    "all": "DELETE FROM subject_key WHERE ref = ? RETURNING subject",
    "biometric": "UPDATE subject_key SET biometric = NULL WHERE ref = ? RETURNING subject",
}
NOTE_ERASURE = "INSERT INTO erasure (subject, ref, extent, at, actor) VALUES (?, ?, ?, ?, ?)"
OPEN_ERASURES = "SELECT ref, extent, at, actor FROM erasure WHERE open ORDER BY at"
CLOSE_ERASURE = "UPDATE erasure SET open = 0 WHERE ref = ? AND extent = ? AND at = ?"
ERASED = "SELECT max(at) FROM erasure WHERE subject = ? AND extent = ?"
COUNT = "SELECT count(*) FROM subject_key"
ALL_KEYS = "SELECT subject, class, ref, wrapped, biometric FROM subject_key"
REWRAP = "UPDATE subject_key SET wrapped = ?, biometric = ? WHERE subject = ? AND class = ?"

Locked: TypeAlias = tuple[bytes, str]
"""What the master key itself wraps, with its name: `kek`, or, in a file that has none, `index`."""
