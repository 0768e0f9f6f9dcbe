-- Biometric data apart from other personal data: under a key of its own, and with a clock of its own.
-- `parted` 0: sealed before this, when body and document, with all that is biometric in them, were under the personal key.
ALTER TABLE payload ADD COLUMN biometric BLOB;               -- sealed: the members of the document that are biometric
ALTER TABLE payload ADD COLUMN parted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE action ADD COLUMN biometric INTEGER NOT NULL DEFAULT 0;  -- 1: params and results are under the biometric key

-- What erasing and pruning find rows by, beside the index of 0005 on event.subject_ref. All grow at their end: a ref
-- begins with the time it was made at.
CREATE INDEX action_event ON action (event_n);
CREATE INDEX firing_event ON firing (event_n);
CREATE INDEX done_action ON done (action_id);
CREATE INDEX label_action ON label (action_id);

-- Persons that were erased, by the ref that nothing leads to any more.
CREATE TABLE erasure (
  ref    BLOB NOT NULL,
  extent TEXT NOT NULL,                   -- all, biometric
  at     INTEGER NOT NULL,
  idx    INTEGER NOT NULL,                -- the entry that says so
  reason BLOB,                            -- sealed under the house's key
  PRIMARY KEY (ref, extent, at)
) WITHOUT ROWID;

-- Legal holds: who is held is neither erased nor pruned.
CREATE TABLE hold (
  n           INTEGER PRIMARY KEY,
  ref         BLOB NOT NULL,
  at          INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  reason      BLOB,                       -- sealed under the person's key
  released_at INTEGER,
  released_by TEXT
);
CREATE INDEX hold_open ON hold (ref) WHERE released_at IS NULL;

-- The first entry that is still there; all before it were pruned.
INSERT OR IGNORE INTO meta VALUES ('min_idx', 0);
