-- What the life of a memory needs: batches of idempotent items, receipts, and the calls of a user.

-- `item` is the place in a batch, from 1; 0 is a call of its own, or the batch itself. `outcome` is
-- what a call answered that its history does not tell: the receipt of a deletion.
ALTER TABLE calls
    ADD COLUMN item integer NOT NULL DEFAULT 0,
    ADD COLUMN outcome jsonb;

DROP INDEX calls_request_id;
CREATE UNIQUE INDEX calls_request_id ON calls (project_id, request_id, item)
    WHERE request_id IS NOT NULL;

-- Of each part of a scope by time: the past of a user is listed by them, and deleted by them. Every
-- memory came to be in a call of its own scope, so no index on the history itself is needed.
CREATE INDEX calls_user ON calls (project_id, user_id, call_time) WHERE user_id IS NOT NULL;
CREATE INDEX calls_agent ON calls (project_id, agent_id, call_time) WHERE agent_id IS NOT NULL;
CREATE INDEX calls_app ON calls (project_id, app_id, call_time) WHERE app_id IS NOT NULL;
CREATE INDEX calls_run ON calls (project_id, run_id, call_time) WHERE run_id IS NOT NULL;
