-- The first schema. Times are Unix milliseconds unless a name says otherwise; sealed columns hold
-- nonce || AES-256-GCM ciphertext under the key that event.subject_ref names in keys.db.

CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('probe', 0);

-- Events: what came in, and results of our own actions. `n` is the order of arrival and the cursor of lists.
CREATE TABLE event (
  n           INTEGER PRIMARY KEY,
  event_id    TEXT NOT NULL UNIQUE,
  parent_id   TEXT,
  source      TEXT NOT NULL,
  dedupe_key  BLOB NOT NULL,              -- keyed hash: survives erasure and tells nothing
  vendor      TEXT NOT NULL,
  type        TEXT NOT NULL,
  session_id  TEXT,
  status      TEXT,
  tags        TEXT NOT NULL,              -- JSON array
  received_at INTEGER NOT NULL,
  occurred_at INTEGER,                    -- Unix seconds
  lane        TEXT NOT NULL,
  depth       INTEGER NOT NULL,
  subject_ref BLOB NOT NULL,
  receipt     TEXT,                       -- JSON object; null for results of actions
  deliveries  INTEGER NOT NULL DEFAULT 1,
  UNIQUE (source, dedupe_key)
);
CREATE INDEX event_session ON event (session_id, n) WHERE session_id IS NOT NULL;

-- Apart from `event`, so that counting a delivery rewrites no body and dropping bodies touches no event.
CREATE TABLE payload (
  n        INTEGER PRIMARY KEY REFERENCES event (n),
  body     BLOB,                          -- sealed: the body as it was sent
  document BLOB                           -- sealed: {document, and for results of actions also action and result}
);

CREATE TABLE session (
  source      TEXT NOT NULL,
  session_id  TEXT NOT NULL,
  occurred_at INTEGER,                    -- Unix seconds
  status      TEXT,
  subject_ref BLOB NOT NULL,
  subject     BLOB NOT NULL,              -- sealed under its own key
  updated_at  INTEGER NOT NULL,
  PRIMARY KEY (source, session_id)
) WITHOUT ROWID;
CREATE INDEX session_by_id ON session (session_id);

CREATE TABLE decision (
  n             INTEGER PRIMARY KEY,
  event_n       INTEGER NOT NULL REFERENCES event (n),
  at            INTEGER NOT NULL,
  actor         TEXT NOT NULL,
  policy        TEXT NOT NULL,
  policy_sha256 TEXT NOT NULL,
  mode          TEXT NOT NULL,
  outcome       TEXT NOT NULL,
  status        TEXT,
  rules_fired   TEXT NOT NULL,            -- JSON array
  document      BLOB                      -- sealed: the whole decision with traces and values
);
CREATE INDEX decision_event ON decision (event_n);
CREATE INDEX decision_odd ON decision (outcome, event_n) WHERE outcome <> 'decided';

-- Actions. A lane is what they are ordered by. The first planned, running or waiting_retry action of a lane is its
-- head: the only one with ready = 1, and the only one that may be claimed. `due` is from when it may be claimed: for a
-- running one, the end of its owner's lease; null for all that are not in a lane (any more, or yet). The actions of an event are found by their identifiers, which begin alike.
CREATE TABLE action (
  n           INTEGER PRIMARY KEY,
  action_id   TEXT NOT NULL UNIQUE,       -- act_<event>_<ordinal>
  event_n     INTEGER NOT NULL REFERENCES event (n),
  lane        TEXT NOT NULL,
  name        TEXT NOT NULL,
  rule        TEXT NOT NULL,
  once        TEXT NOT NULL,
  state       TEXT NOT NULL,
  reason      TEXT,
  params      BLOB,                       -- sealed
  planned_at  INTEGER NOT NULL,
  run_at      INTEGER NOT NULL,           -- from when its age counts: planned, approved, or sent again
  finished_at INTEGER,
  due         INTEGER,
  ready       INTEGER NOT NULL DEFAULT 0,
  owner       TEXT,
  attempt     INTEGER NOT NULL DEFAULT 0, -- the last one's number: the fence
  spent       INTEGER NOT NULL DEFAULT 0, -- attempts of this run that count against the limit
  lost        INTEGER NOT NULL DEFAULT 0  -- 1: an attempt's process died, so its effect is unknown
);
-- Conditions of partial indexes are asked of every row that is written: `state IN (...)` was measured to double its cost.
CREATE INDEX action_lane ON action (lane, n) WHERE due IS NOT NULL;
CREATE INDEX action_rare ON action (state, n) WHERE due IS NULL AND state <> 'done' AND state <> 'skipped';
CREATE INDEX action_due ON action (due) WHERE ready = 1;

-- The first action that did the same for a session. `same` is a keyed hash of session, name and params.
CREATE TABLE done (same BLOB PRIMARY KEY, action_id TEXT NOT NULL) WITHOUT ROWID;

-- Which events a rule with a limit has planned actions for.
CREATE TABLE firing (
  rule TEXT NOT NULL, at INTEGER NOT NULL, event_n INTEGER NOT NULL REFERENCES event (n),
  PRIMARY KEY (rule, at, event_n)
) WITHOUT ROWID;

CREATE TABLE attempt (
  action_n    INTEGER NOT NULL REFERENCES action (n),
  n           INTEGER NOT NULL,
  owner       TEXT NOT NULL,
  at          INTEGER NOT NULL,
  ended_at    INTEGER,
  latency_ms  INTEGER,
  outcome     TEXT,                       -- done noop failed retry; lost: its process died; null: in flight
  http_status INTEGER,
  repeated    INTEGER NOT NULL,
  spent       INTEGER NOT NULL DEFAULT 1,
  reason      TEXT,
  result      BLOB,                       -- sealed
  UNIQUE (action_n, n)
);
CREATE INDEX attempt_open ON attempt (owner, action_n) WHERE outcome IS NULL;

-- What people did to actions.
CREATE TABLE deed (
  action_n INTEGER NOT NULL REFERENCES action (n),
  at       INTEGER NOT NULL,
  actor    TEXT NOT NULL,
  act      TEXT NOT NULL,                 -- retry discard approve reject
  reason   BLOB                           -- sealed
);
CREATE INDEX deed_action ON deed (action_n);

CREATE TABLE echo (
  n          INTEGER PRIMARY KEY,
  action_id  TEXT NOT NULL UNIQUE,
  session_id TEXT NOT NULL,
  status     TEXT NOT NULL,
  until      INTEGER NOT NULL,
  taken_at   INTEGER
);
CREATE INDEX echo_expected ON echo (session_id, status, n) WHERE taken_at IS NULL;

CREATE TABLE review (
  n           INTEGER PRIMARY KEY,
  review_id   TEXT NOT NULL UNIQUE,
  event_n     INTEGER NOT NULL REFERENCES event (n),
  action_n    INTEGER NOT NULL REFERENCES action (n),
  queue       TEXT NOT NULL,
  priority    INTEGER NOT NULL,
  state       TEXT NOT NULL,              -- open resolved
  reason      BLOB,                       -- sealed
  opened_at   INTEGER NOT NULL,
  resolved_at INTEGER,
  resolved_by TEXT,
  note        BLOB                        -- sealed: {resolution, note}
);
CREATE INDEX review_state ON review (state, n);
CREATE INDEX review_event ON review (event_n);
CREATE INDEX review_action ON review (action_n);

CREATE TABLE label (
  source     TEXT NOT NULL,
  session_id TEXT NOT NULL,
  label      TEXT NOT NULL,
  action_id  TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (session_id, source, label)
) WITHOUT ROWID;

CREATE TABLE reject (
  n          INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  source     TEXT NOT NULL,
  client     TEXT,
  reason     TEXT NOT NULL,
  body_bytes INTEGER NOT NULL
);

CREATE TABLE policy (
  sha256 TEXT PRIMARY KEY,
  name   TEXT NOT NULL,
  text   TEXT NOT NULL,
  author TEXT,
  at     INTEGER NOT NULL
);
CREATE INDEX policy_name ON policy (name);

-- The record. `idx` is the leaf index of the tree that stands on it, from 0 and without gaps; the other columns repeat
-- what the leaf says.
CREATE TABLE entry (
  idx           INTEGER PRIMARY KEY,
  leaf          BLOB NOT NULL,
  at            INTEGER NOT NULL,
  kind          TEXT NOT NULL,
  actor         TEXT NOT NULL,
  event_id      TEXT,
  action_id     TEXT,
  type          TEXT,
  rule          TEXT,                     -- several fired ones with commas between
  outcome       TEXT,
  policy_sha256 TEXT,
  source        TEXT
);
CREATE INDEX entry_event ON entry (event_id) WHERE event_id IS NOT NULL;
CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;

CREATE TABLE entry_tag (tag TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (tag, idx)) WITHOUT ROWID;
CREATE TABLE entry_rule (rule TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (rule, idx)) WITHOUT ROWID;
-- Not in the leaf: can be erased.
CREATE TABLE session_ref (session_id TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (session_id, idx)) WITHOUT ROWID;
-- Which entries an hour of Unix time can be found among: a search by time reads these, not all.
CREATE TABLE entry_hour (hour INTEGER PRIMARY KEY, first_idx INTEGER NOT NULL, last_idx INTEGER NOT NULL);

-- Running counts, moved in the transaction that moves what they count.
CREATE TABLE tally (
  name TEXT NOT NULL, key TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (name, key)
) WITHOUT ROWID;

CREATE VIEW v_events AS
SELECT event_id, parent_id, source, vendor, type, session_id, status, tags,
  strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000, 'unixepoch') || printf('.%03dZ', received_at % 1000) AS received_at,
  (SELECT outcome FROM decision WHERE event_n = event.n ORDER BY decision.n DESC LIMIT 1) AS outcome, deliveries
FROM event;

CREATE VIEW v_decisions AS
SELECT e.event_id, d.policy, d.policy_sha256, d.outcome, d.status, d.rules_fired
FROM decision AS d JOIN event AS e ON e.n = d.event_n
WHERE d.n = (SELECT max(newest.n) FROM decision AS newest WHERE newest.event_n = d.event_n);

CREATE VIEW v_actions AS
SELECT a.action_id, e.event_id, e.session_id, a.name, a.rule, a.state,
  (SELECT count(*) FROM attempt WHERE attempt.action_n = a.n) AS attempts,
  strftime('%Y-%m-%dT%H:%M:%S', a.planned_at / 1000, 'unixepoch') || printf('.%03dZ', a.planned_at % 1000) AS planned_at,
  strftime('%Y-%m-%dT%H:%M:%S', a.finished_at / 1000, 'unixepoch') || printf('.%03dZ', a.finished_at % 1000)
    AS finished_at,
  a.reason
FROM action AS a JOIN event AS e ON e.n = a.event_n;

CREATE VIEW v_audit AS
SELECT entry.idx, strftime('%Y-%m-%dT%H:%M:%S', entry.at / 1000, 'unixepoch') || printf('.%03dZ', entry.at % 1000) AS at,
  entry.kind, entry.actor, entry.event_id, event.session_id, entry.rule, entry.outcome, entry.policy_sha256
FROM entry LEFT JOIN event ON event.event_id = entry.event_id;
