-- How many calls of a kind were planned, for budgets per hour.
CREATE TABLE spending (
  key TEXT    NOT NULL,                   -- such as `didit billable`
  at  INTEGER NOT NULL,
  n   INTEGER NOT NULL,
  PRIMARY KEY (key, at)
) WITHOUT ROWID;
