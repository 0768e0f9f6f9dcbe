-- Whom an action needs while it runs: a vendor, `hooks.<name>`, `notify.<name>`, or nobody (empty). It stands in the
-- clear, as the names of vendors and targets do in the configuration. Heads are looked for by it, so that whoever has no
-- place left costs nothing, however long the queue. Of what was planned before, the beginning of the name says enough.
ALTER TABLE action ADD COLUMN needs TEXT NOT NULL DEFAULT '';
UPDATE action SET needs = CASE
    WHEN name IN ('review', 'label') THEN ''
    WHEN name = 'http.post' THEN 'hooks'
    WHEN instr(name, '.') > 0 THEN substr(name, 1, instr(name, '.') - 1)
    ELSE name END
  WHERE finished_at IS NULL OR state IN ('failed', 'dead');
DROP INDEX action_due;
CREATE INDEX action_due ON action (needs, due) WHERE ready = 1;

-- 1: the attempt failed before anything was sent that could have had an effect.
ALTER TABLE attempt ADD COLUMN unsent INTEGER NOT NULL DEFAULT 0;
