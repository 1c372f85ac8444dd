-- The changes of a call other than additions. Other blocks are in changing.sql.

-- name: purge_expired
-- Deletes the expired memories of a scope that hold one of the digests. The ordinal -1 keeps these
-- deletions out of the response of the call, which lists only its own changes.
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = :project_id AND scope_key = :scope_key AND digest = ANY (:digests::bytea[])
      AND expiration_date < :today
    RETURNING memory_id, version, {had_subgraph}
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT :project_id, deleted.memory_id, deleted.version + 1, new_position.position, -1, :call_id,
           'DELETE', :call_time, NULL
    FROM deleted, new_position
)
{enqueue}
SELECT :project_id, deleted.memory_id, new_position.position, new_position.position, :correlation_id,
       :traceparent
FROM deleted, new_position
WHERE had_subgraph
ORDER BY deleted.memory_id
{enqueue_again};

-- name: update_memory
-- Returns no row unless the memory still has the version that the change is based on.
WITH updated AS (
    UPDATE memories SET
        version = version + 1, call_id = :call_id, text = :text, digest = :digest,
        embedding = :embedding, metadata = metadata || :metadata, categories = :categories,
        entities = :entities, relations = :relations, evidence = :evidence,
        event_time = :event_time, update_time = :call_time, role = :role, name = :name,
        expiration_date = coalesce(:expiration_date, expiration_date)
    WHERE project_id = :project_id AND memory_id = :memory_id AND version = :version AND NOT immutable
    RETURNING {state}
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT :project_id, :memory_id, version, :position, :ordinal, :call_id, 'UPDATE', :call_time,
           to_jsonb(updated), :embedding
    FROM updated
),
enqueued AS (
    {enqueue}
    SELECT :project_id, :memory_id, :position, :position, :correlation_id, :traceparent
    FROM updated
    {enqueue_again}
)
SELECT version FROM updated;

-- name: delete_memory
-- Returns no row unless the memory still has the version that the deletion is based on.
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = :project_id AND memory_id = :memory_id AND version = :version
    RETURNING memory_id, version, {had_subgraph}
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT :project_id, :memory_id, version + 1, :position, :ordinal, :call_id, 'DELETE', :call_time,
           NULL
    FROM deleted
),
enqueued AS (
    {enqueue}
    SELECT :project_id, :memory_id, :position, :position, :correlation_id, :traceparent
    FROM deleted
    WHERE had_subgraph
    {enqueue_again}
)
SELECT version FROM deleted;

-- name: forget_passages
-- Also removes sentences from the passages of this call, such as a reply that repeats the forgotten text.
SELECT remove_from_passages(:project_id, :scope_key, :forget_requests, NULL, NULL, :call_time);
