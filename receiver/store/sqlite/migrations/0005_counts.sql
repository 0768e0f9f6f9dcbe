-- What makes rare things quick to find, and counts quick to answer. Kept in the entries' transaction; all of it can be
-- worked out again from `entry`, `entry_tag` and `entry_rule`.

-- Which values a column of the record has, tags and rules among them: what free text is looked up in. Identifiers that
-- stand in facts are not.
CREATE TABLE word (key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key, value)) WITHOUT ROWID;

-- Which blocks of 64 entries have a value: a search reads these blocks and no others. A row for each value and block costs
-- a fraction of an index on each column.
CREATE TABLE word_block (
  key   TEXT NOT NULL,                    -- kind actor type outcome policy source status attempt http
  value TEXT NOT NULL,
  block INTEGER NOT NULL,                 -- idx / 64
  PRIMARY KEY (key, value, block)
) WITHOUT ROWID;

-- Which entries have a fact of this value. Few have any.
CREATE TABLE entry_fact (value TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (value, idx)) WITHOUT ROWID;
CREATE INDEX entry_fact_idx ON entry_fact (idx);

-- How many entries a UTC day has, by one thing and the outcome ('' where there is none).
CREATE TABLE rollup (
  kind    TEXT NOT NULL,                  -- of the key: tag rule status kind source
  day     INTEGER NOT NULL,               -- days since 1970-01-01
  key     TEXT NOT NULL,
  outcome TEXT NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (kind, day, key, outcome)
) WITHOUT ROWID;

CREATE INDEX event_subject ON event (subject_ref);
-- Entries about an action are found by the event that it belongs to; these are the ones that name none.
CREATE INDEX entry_loose_action ON entry (action_id) WHERE event_id IS NULL AND action_id IS NOT NULL;
