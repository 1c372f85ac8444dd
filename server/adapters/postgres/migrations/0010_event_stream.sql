-- Events in an order in which none appears behind one that was seen.
--
-- The places in `change_position` are drawn before the commit, so that a later one can appear first.
-- Ids of transactions are drawn early too, but PostgreSQL knows below which one none is open any more:
-- what is read up to there is complete.

ALTER TABLE memory_events ADD COLUMN transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id();

CREATE INDEX memory_events_stream
    ON memory_events (project_id, transaction_id, position, ordinal, memory_id, version);
