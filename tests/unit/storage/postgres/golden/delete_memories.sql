-- name: delete_memories
WITH locked AS MATERIALIZED (
    SELECT m.memory_id
    FROM memories AS m
    WHERE m.project_id = $1 AND m.user_id = $2 AND ((m.metadata <> '{}' AND m.metadata @> $3::jsonb) AND ($4::text = ANY (m.categories) OR strpos(casefold(m.text COLLATE "pg_unicode_fast"), casefold($5::text COLLATE "pg_unicode_fast")) > 0) AND (((m.create_time >= $6::timestamptz)) IS NOT TRUE))
    ORDER BY m.memory_id
    FOR UPDATE
),
deleted AS (
    DELETE FROM memories
    USING locked
    WHERE memories.project_id = $1 AND memories.memory_id = locked.memory_id
    RETURNING memories.memory_id, version, (entities || relations <> '[]' OR EXISTS (
    SELECT FROM graph_outbox AS o
    WHERE o.project_id = memories.project_id AND o.memory_id = memories.memory_id
)) AS had_subgraph
),
locked_passages AS MATERIALIZED (SELECT m.memory_id AS passage_id
FROM (SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
WHERE m.project_id = $1 AND m.user_id = $2 AND ((m.metadata <> '{}' AND m.metadata @> $3::jsonb) AND ($4::text = ANY (m.categories) OR strpos(casefold(m.text COLLATE "pg_unicode_fast"), casefold($5::text COLLATE "pg_unicode_fast")) > 0) AND (((m.create_time >= $6::timestamptz)) IS NOT TRUE))
ORDER BY m.memory_id
FOR UPDATE),
deleted_passages AS (
    UPDATE passages AS p
    SET delete_time = $7
    FROM locked_passages
    WHERE p.project_id = $1 AND p.passage_id = locked_passages.passage_id
    RETURNING p.passage_id
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
receipt AS MATERIALIZED (
    SELECT jsonb_build_object(
        'memories', (SELECT count(*) FROM deleted),
        'graph_memories', (SELECT count(*) FROM deleted WHERE had_subgraph),
        'passages', (SELECT count(*) FROM deleted_passages)
    ) AS counts
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer, outcome)
    SELECT $1, $8, new_position.position, $9, $10, $11, $12, $13,
$14, $15, $16, $17, $18, $19, $20,
$21, $7, $22, $23, $24, receipt.counts
    FROM new_position, receipt
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, deleted.memory_id, deleted.version + 1, new_position.position,
           row_number() OVER (ORDER BY deleted.memory_id) - 1, $8, 'DELETE', $7, NULL
    FROM deleted, new_position
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $1, deleted.memory_id, new_position.position, new_position.position,
           $18, $22
    FROM deleted, new_position
    WHERE had_subgraph
    ORDER BY deleted.memory_id
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT new_position.position, receipt.counts FROM new_position, receipt;
