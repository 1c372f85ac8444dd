-- What an add left out, and why, so that a repeated call answers the same.
-- A list of {"reason", "text"} objects.

ALTER TABLE calls ADD COLUMN notices jsonb NOT NULL DEFAULT '[]';
