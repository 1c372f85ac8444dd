-- Request ids are kept for a time. What a memory traces back to is kept for good, so a call keeps the
-- id that it came with, and only gives it back for use: from `request_id_release_time` on.
ALTER TABLE calls ADD COLUMN request_id_release_time timestamptz;

DROP INDEX calls_request_id;
CREATE UNIQUE INDEX calls_request_id ON calls (project_id, request_id, item)
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL;

-- The oldest go first.
CREATE INDEX calls_request_time ON calls (call_time)
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL;
