-- name: record_call
WITH input AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::uuid[], $2::text[], $3::bytea[], $4::halfvec[],
        $5::text[], $6::text[], $7::jsonb[], $8::integer[]
    ) AS input (memory_id, text, digest, embedding, role, name, details, ordinal)
),
retention AS (
    SELECT $9::date + default_retention_days AS last_day
    FROM projects
    WHERE project_id = $10 AND default_retention_days > 0
),
expired_holders AS MATERIALIZED (
    SELECT held.memory_id
    FROM input
    CROSS JOIN LATERAL (
        SELECT m.memory_id
        FROM memories AS m
        WHERE m.project_id = $10 AND m.scope_key = $11 AND m.digest = input.digest
          AND m.expiration_date < $9
        OFFSET 0
    ) AS held
),
released_lease AS (
    DELETE FROM scope_leases
    WHERE project_id = $10 AND scope_key = $11 AND lease = $12
      AND NOT EXISTS (SELECT FROM expired_holders)
    RETURNING lease
),
allowed AS MATERIALIZED (
    SELECT
    WHERE NOT EXISTS (SELECT FROM expired_holders)
      AND ($12::uuid IS NULL OR EXISTS (SELECT FROM released_lease))
),
completed AS (
    UPDATE operations
    SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
        fault = NULL, call_id = $13
    WHERE project_id = $10 AND operation_id = $13 AND lease = $14::uuid
      AND EXISTS (SELECT FROM allowed)
    RETURNING operation_id
),
new_position AS MATERIALIZED (
    SELECT nextval('change_position') AS position
    FROM allowed
    WHERE $14::uuid IS NULL OR EXISTS (SELECT FROM completed)
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer, input_tokens, output_tokens, notices)
    SELECT $10, $13, new_position.position, $15, $16, $17, $18, $19,
$11, $20,
$21, $22, $23, $24, $25, $26, $27,
$28, $29, $30, $31, $32, $33
    FROM new_position
),
added_messages AS (
    INSERT INTO messages (
        project_id, call_id, ordinal, message_id, role, name, content, event_time
    )
    SELECT $10, $13, message.ordinal, message.message_id, message.role, message.name,
           message.content, $34
    FROM new_position, unnest(
        $35::integer[], $36::uuid[], $37::text[],
        $38::text[], $39::text[]
    ) AS message (ordinal, message_id, role, name, content)
),
added AS (
    INSERT INTO memories (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding
    )
    SELECT $10, input.memory_id, 1, $13, $16, $17, $18, $19, $11,
           input.digest, input.text, input.role, input.name, $40, $41, $42,
           ARRAY(SELECT jsonb_array_elements_text(input.details -> 'categories')),
           input.details -> 'entities', input.details -> 'relations', input.details -> 'evidence',
           $34, coalesce($43::date, retention.last_day), $27, $27,
           input.embedding
    FROM new_position, input LEFT JOIN retention ON true
    ORDER BY input.ordinal
    ON CONFLICT (project_id, scope_key, digest) DO NOTHING
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id,
              scope_key, digest, text, role, name, inferred, immutable, metadata, categories,
              entities, relations, evidence, event_time, expiration_date, create_time, update_time
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $10, added.memory_id, 1, new_position.position, input.ordinal, $13, 'ADD',
           $27, to_jsonb(added),
           input.embedding
    FROM new_position, added JOIN input USING (memory_id)
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $10, added.memory_id, new_position.position, new_position.position, $23,
           $28
    FROM new_position, added
    WHERE added.entities || added.relations <> '[]'
)
SELECT new_position.position, added.memory_id
FROM new_position LEFT JOIN added ON true;
