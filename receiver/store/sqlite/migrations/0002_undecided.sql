-- What a rule came to without unsealing the explanation. Null: written before this column, so only the document says.
ALTER TABLE decision ADD COLUMN rules_undecided TEXT;  -- JSON array
