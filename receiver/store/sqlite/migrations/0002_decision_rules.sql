-- What the rules came to without unsealing the explanation: JSON arrays of rule ids. `rules_fired` holds those that act;
-- those that fired in shadow stand apart. Null: written before these columns, when `rules_fired` held both.
ALTER TABLE decision ADD COLUMN rules_undecided TEXT;
ALTER TABLE decision ADD COLUMN rules_shadow TEXT;
