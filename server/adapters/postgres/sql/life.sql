-- Changing and deleting memories that are there. `{call_columns}` and `{call_values}` stand for fixed
-- blocks of this file: the first 16 parameters of a changing statement are those of its call.
-- `{scope}` stands for one fixed condition a scope field (see scope_condition.py), `{column}` for the
-- name of one scope field; values are always bound.

-- name: call_columns
project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time

-- name: call_values
$1, $2, place.position, $3, $4, $5, $6, $7, $8, $9,
$10, $11, $12, $13, $14, $15, $16

-- name: amend_memory
-- Returns no row, and writes nothing, unless the memory is in the state that was decided on.
WITH place AS MATERIALIZED (SELECT nextval('change_position') AS position),
changed AS (
    UPDATE memories SET
        version = version + 1, call_id = $2, text = $19, digest = $20,
        embedding = coalesce($21::halfvec, embedding), metadata = $22, categories = $23,
        entities = $24, relations = $25, evidence = $26, expiration_date = $27, update_time = $16
    WHERE project_id = $1 AND memory_id = $17 AND version = $18 AND NOT immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id,
              scope_key, digest, text, role, name, inferred, immutable, metadata, categories,
              entities, relations, evidence, event_time, expiration_date, create_time, update_time
),
recorded AS (
    INSERT INTO calls ({call_columns})
    SELECT {call_values}
    FROM place, changed
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, changed.memory_id, changed.version, place.position, 0, $2, 'UPDATE', $16,
           to_jsonb(changed)
    FROM changed, place
),
enqueued AS (
    INSERT INTO graph_outbox (project_id, memory_id, generation, first_generation, correlation_id)
    SELECT $1, changed.memory_id, place.position, place.position, $12
    FROM changed, place
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        generation = greatest(graph_outbox.generation, excluded.generation),
        correlation_id = excluded.correlation_id
)
SELECT place.position FROM place, changed;

-- name: remove_memory
-- Returns no row, and writes nothing, unless the memory is in the state that was decided on.
WITH place AS MATERIALIZED (SELECT nextval('change_position') AS position),
gone AS (
    DELETE FROM memories
    WHERE project_id = $1 AND memory_id = $17 AND version = $18
    RETURNING memory_id, version
),
recorded AS (
    INSERT INTO calls ({call_columns})
    SELECT {call_values}
    FROM place, gone
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, gone.memory_id, gone.version + 1, place.position, 0, $2, 'DELETE', $16, NULL
    FROM gone, place
),
enqueued AS (
    INSERT INTO graph_outbox (project_id, memory_id, generation, first_generation, correlation_id)
    SELECT $1, gone.memory_id, place.position, place.position, $12
    FROM gone, place
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        generation = greatest(graph_outbox.generation, excluded.generation),
        correlation_id = excluded.correlation_id
)
SELECT place.position FROM place, gone;

-- name: claim_batch
INSERT INTO calls ({call_columns})
SELECT {call_values}
FROM (SELECT nextval('change_position') AS position) AS place
ON CONFLICT (project_id, request_id, item) WHERE request_id IS NOT NULL DO NOTHING;

-- name: batch_items
SELECT item, payload_digest FROM calls WHERE project_id = $1 AND request_id = $2;

-- name: find_item
SELECT call_id, payload_digest, position, embedding_model, language_model
FROM calls
WHERE project_id = $1 AND request_id = $2 AND item = $3;
