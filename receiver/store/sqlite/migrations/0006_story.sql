-- Who took a policy version into use, and when.
CREATE INDEX entry_policy ON entry (policy_sha256, idx) WHERE kind = 'policy';
