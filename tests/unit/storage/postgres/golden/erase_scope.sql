-- name: erase_scope
WITH scope_calls AS MATERIALIZED (
    SELECT call_id FROM calls WHERE project_id = $1 AND user_id = $2
),
scope_memories AS MATERIALIZED (
    SELECT e.memory_id
    FROM scope_calls
    JOIN memory_events AS e ON e.project_id = $1 AND e.call_id = scope_calls.call_id
    UNION
    SELECT memory_id
    FROM memory_events
    WHERE project_id = $1 AND erased_scope @> jsonb_build_object($3::text, $2::text)
),
deleted_memories AS (
    DELETE FROM memories WHERE project_id = $1 AND user_id = $2
    RETURNING memory_id, (entities || relations <> '[]' OR EXISTS (
    SELECT FROM graph_outbox AS o
    WHERE o.project_id = memories.project_id AND o.memory_id = memories.memory_id
)) AS had_subgraph
),
deleted_messages AS (
    DELETE FROM messages AS m
    USING scope_calls
    WHERE m.project_id = $1 AND m.call_id = scope_calls.call_id
    RETURNING m.call_id
),
deleted_passages AS (
    DELETE FROM passages AS p
    USING scope_calls
    WHERE p.project_id = $1 AND p.call_id = scope_calls.call_id
    RETURNING p.delete_time
),
deleted_events AS (
    DELETE FROM memory_events AS e
    USING scope_memories
    WHERE e.project_id = $1 AND e.memory_id = scope_memories.memory_id
    RETURNING e.memory_id
),
deleted_calls AS (
    DELETE FROM calls AS c
    USING scope_calls
    WHERE c.project_id = $1 AND c.call_id = scope_calls.call_id
),
scope_operations AS MATERIALIZED (
    SELECT call_id AS operation_id FROM scope_calls
    UNION
    SELECT o.operation_id
    FROM scope_calls
    JOIN operations AS o ON o.project_id = $1 AND o.call_id = scope_calls.call_id
    WHERE o.call_id <> o.operation_id
    UNION
    SELECT operation_id
    FROM operations
    WHERE project_id = $1 AND user_id = $2 AND end_time IS NULL
    UNION
    SELECT operation_id
    FROM operations
    WHERE project_id = $1 AND user_id = $2 AND state IN ('FAILED', 'CANCELLED')
),
deleted_operations AS (
    DELETE FROM operations AS o
    USING scope_operations
    WHERE o.project_id = $1 AND o.operation_id = scope_operations.operation_id
      AND o.user_id = $2
    RETURNING o.operation_id
),
deleted_splits AS (
    DELETE FROM entity_splits WHERE project_id = $1 AND space = $4 || ':' || $2
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
receipt AS MATERIALIZED (
    SELECT jsonb_build_object(
        'memories', (SELECT count(*) FROM deleted_memories),
        'messages', (SELECT count(*) FROM deleted_messages),
        'events', (SELECT count(*) FROM deleted_events),
        'graph_memories', (SELECT count(*) FROM deleted_memories WHERE had_subgraph),
        'passages', (SELECT count(*) FROM deleted_passages WHERE delete_time IS NULL)
    ) AS counts
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer, outcome)
    SELECT $1, $5, new_position.position, $6, $7, $8, $9, $10,
$11, $12, $13, $14, $15, $16, $17,
$18, $19, $20, $21, $22, receipt.counts
    FROM new_position, receipt
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $1, deleted_memories.memory_id, new_position.position, new_position.position,
           $15, $20
    FROM deleted_memories, new_position
    WHERE had_subgraph
    ORDER BY deleted_memories.memory_id
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT new_position.position, receipt.counts,
       EXISTS (SELECT FROM scope_calls) OR EXISTS (SELECT FROM deleted_operations) AS was_known
FROM new_position, receipt;
