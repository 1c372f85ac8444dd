-- name: purge_expired
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = $1 AND scope_key = $2 AND digest = ANY ($3::bytea[])
      AND expiration_date < $4
    RETURNING memory_id, version, (entities || relations <> '[]' OR EXISTS (
    SELECT FROM graph_outbox AS o
    WHERE o.project_id = memories.project_id AND o.memory_id = memories.memory_id
)) AS had_subgraph
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, deleted.memory_id, deleted.version + 1, new_position.position, -1, $5,
           'DELETE', $6, NULL
    FROM deleted, new_position
)
INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
SELECT $1, deleted.memory_id, new_position.position, new_position.position, $7,
       $8
FROM deleted, new_position
WHERE had_subgraph
ORDER BY deleted.memory_id
ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent;

-- name: update_memory
WITH updated AS (
    UPDATE memories SET
        version = version + 1, call_id = $1, text = $2, digest = $3,
        embedding = $4, metadata = metadata || $5, categories = $6,
        entities = $7, relations = $8, evidence = $9,
        event_time = $10, update_time = $11, role = $12, name = $13,
        expiration_date = coalesce($14, expiration_date)
    WHERE project_id = $15 AND memory_id = $16 AND version = $17 AND NOT immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest, text,
role, name, inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
expiration_date, create_time, update_time
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $15, $16, version, $18, $19, $1, 'UPDATE', $11,
           to_jsonb(updated), $4
    FROM updated
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $15, $16, $18, $18, $20, $21
    FROM updated
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT version FROM updated;

-- name: delete_memory
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = $1 AND memory_id = $2 AND version = $3
    RETURNING memory_id, version, (entities || relations <> '[]' OR EXISTS (
    SELECT FROM graph_outbox AS o
    WHERE o.project_id = memories.project_id AND o.memory_id = memories.memory_id
)) AS had_subgraph
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, $2, version + 1, $4, $5, $6, 'DELETE', $7,
           NULL
    FROM deleted
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $1, $2, $4, $4, $8, $9
    FROM deleted
    WHERE had_subgraph
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT version FROM deleted;

-- name: forget_passages
SELECT remove_from_passages($1, $2, $3, NULL, NULL, $4);
