-- Writing: a call with all its effects.

-- name: record_call
-- One statement writes the call, its messages, its new memories, their history and their outbox
-- rows, so that the usual add is one round trip and one transaction. Nothing is written when an
-- expired memory holds one of the digests: the caller purges it and comes again. Nor is anything
-- written when the scope's lease, if one is named, is another's by now.
WITH input AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $21::uuid[], $22::text[], $23::bytea[], $24::halfvec[], $25::text[], $26::text[],
        $27::jsonb[], $28::integer[]
    ) AS input (memory_id, text, digest, embedding, role, name, details, ordinal)
),
-- Until when the project keeps memories of which a call does not say it.
retention AS (
    SELECT $29::date + default_retention_days AS last_day
    FROM projects
    WHERE project_id = $1 AND default_retention_days > 0
),
blocked AS MATERIALIZED (
    SELECT held.memory_id
    FROM memories AS held
    JOIN input ON input.digest = held.digest
    WHERE held.project_id = $1 AND held.scope_key = $8 AND held.expiration_date < $29
),
released AS (
    -- The lease ends with the commit. Until then its row is locked, so that nobody takes the lease
    -- over and decides on a state without this call's changes.
    DELETE FROM scope_leases
    WHERE project_id = $1 AND scope_key = $8 AND holder = $37 AND NOT EXISTS (SELECT FROM blocked)
    RETURNING holder
),
permitted AS MATERIALIZED (
    SELECT
    WHERE NOT EXISTS (SELECT FROM blocked)
      AND ($37::uuid IS NULL OR EXISTS (SELECT FROM released))
),
completed AS (
    -- An operation is done in the transaction that has its effect: never twice, never without it.
    UPDATE operations
    SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
        fault = NULL, call_id = $2
    WHERE project_id = $1 AND operation_id = $2 AND lease = $38::uuid
      AND EXISTS (SELECT FROM permitted)
    RETURNING operation_id
),
place AS MATERIALIZED (
    SELECT nextval('change_position') AS position
    FROM permitted
    WHERE $38::uuid IS NULL OR EXISTS (SELECT FROM completed)
),
recorded AS (
    INSERT INTO calls (
        project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key,
        request_id, payload_digest, correlation_id, embedding_model, language_model,
        prompt_version, call_time, input_tokens, output_tokens, traceparent
    )
    SELECT $1, $2, position, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $35, $36,
           $39
    FROM place
),
spoken AS (
    INSERT INTO messages (
        project_id, call_id, ordinal, message_id, role, name, content, event_time
    )
    SELECT $1, $2, message.ordinal, message.message_id, message.role, message.name,
           message.content, $16
    FROM place, unnest($30::integer[], $31::uuid[], $32::text[], $33::text[], $34::text[])
        AS message (ordinal, message_id, role, name, content)
),
added AS (
    INSERT INTO memories (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding, ordinal
    )
    SELECT $1, input.memory_id, 1, $2, $4, $5, $6, $7, $8,
           input.digest, input.text, input.role, input.name, $17, $18, $19,
           ARRAY(SELECT jsonb_array_elements_text(input.details -> 'categories')),
           input.details -> 'entities', input.details -> 'relations', input.details -> 'evidence',
           $16, coalesce($20::date, retention.last_day), $15, $15, input.embedding, input.ordinal
    FROM place, input LEFT JOIN retention ON true
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
    SELECT $1, added.memory_id, 1, place.position, input.ordinal, $2, 'ADD', $15, to_jsonb(added),
           input.embedding
    FROM place, added JOIN input USING (memory_id)
),
enqueued AS (
    INSERT INTO graph_outbox (
        project_id, memory_id, generation, first_generation, correlation_id, traceparent
    )
    SELECT $1, added.memory_id, place.position, place.position, $11, $39
    FROM place, added
)
SELECT place.position, added.memory_id
FROM place LEFT JOIN added ON true;

-- name: purge_expired
-- Deletes the expired memories of a scope that hold one of the digests, with history and outbox.
-- The ordinal -1 keeps this out of what the call answers when it comes again.
WITH gone AS (
    DELETE FROM memories
    WHERE project_id = $1 AND scope_key = $2 AND digest = ANY ($3::bytea[])
      AND expiration_date < $4
    RETURNING memory_id, version
),
place AS MATERIALIZED (SELECT nextval('change_position') AS position),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, gone.memory_id, gone.version + 1, place.position, -1, $5, 'DELETE', $6, NULL
    FROM gone, place
)
INSERT INTO graph_outbox (
    project_id, memory_id, generation, first_generation, correlation_id, traceparent
)
SELECT $1, gone.memory_id, place.position, place.position, $7, $8
FROM gone, place
ORDER BY gone.memory_id
ON CONFLICT (project_id, memory_id) DO UPDATE SET
    generation = greatest(graph_outbox.generation, excluded.generation),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent;

-- name: update_memory
-- Returns no row unless the memory is in the state that the change was decided on.
WITH changed AS (
    UPDATE memories SET
        version = version + 1, call_id = $4, text = $5, digest = $6, embedding = $7,
        metadata = metadata || $8, categories = $9, entities = $10, relations = $11,
        evidence = $12, event_time = $13, expiration_date = coalesce($14, expiration_date), update_time = $15,
        role = $16, name = $17
    WHERE project_id = $1 AND memory_id = $2 AND version = $3 AND NOT immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id,
              scope_key, digest, text, role, name, inferred, immutable, metadata, categories,
              entities, relations, evidence, event_time, expiration_date, create_time, update_time
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $1, $2, version, $18, $19, $4, 'UPDATE', $15, to_jsonb(changed), $7
    FROM changed
),
enqueued AS (
    INSERT INTO graph_outbox (
        project_id, memory_id, generation, first_generation, correlation_id, traceparent
    )
    SELECT $1, $2, $18, $18, $20, $21
    FROM changed
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        generation = greatest(graph_outbox.generation, excluded.generation),
        correlation_id = excluded.correlation_id,
        traceparent = excluded.traceparent
)
SELECT version FROM changed;

-- name: delete_memory
-- Returns no row unless the memory is in the state that the deletion was decided on.
WITH gone AS (
    DELETE FROM memories
    WHERE project_id = $1 AND memory_id = $2 AND version = $3
    RETURNING memory_id, version
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, $2, version + 1, $5, $6, $4, 'DELETE', $7, NULL
    FROM gone
),
enqueued AS (
    INSERT INTO graph_outbox (
        project_id, memory_id, generation, first_generation, correlation_id, traceparent
    )
    SELECT $1, $2, $5, $5, $8, $9
    FROM gone
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        generation = greatest(graph_outbox.generation, excluded.generation),
        correlation_id = excluded.correlation_id,
        traceparent = excluded.traceparent
)
SELECT version FROM gone;
