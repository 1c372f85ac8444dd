-- name: replace_memory
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
written AS (
    UPDATE memories SET
        version = version + 1, call_id = $1, text = $2, digest = $3,
        embedding = coalesce($4::halfvec, embedding), metadata = $5,
        categories = $6, entities = $7, relations = $8, evidence = $9,
        expiration_date = $10, update_time = $11
    WHERE project_id = $12 AND memory_id = $13 AND version = $14 AND NOT immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest, text,
role, name, inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
expiration_date, create_time, update_time
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer)
    SELECT $12, $1, new_position.position, $15, $16, $17, $18, $19,
$20, $21, $22, $23, $24, $25, $26,
$27, $11, $28, $29, $30
    FROM new_position, written
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $12, written.memory_id, written.version, new_position.position, 0, $1,
           $31, $11, to_jsonb(written), $4::halfvec
    FROM written, new_position
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $12, written.memory_id, new_position.position, new_position.position,
           $24, $28
    FROM written, new_position
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT new_position.position FROM new_position, written;

-- name: restore_memory
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
written AS (
    INSERT INTO memories AS m (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding
    )
    SELECT $1, $2, $3 + 1, $4, $5, $6, $7, $8,
           $9, $10, state.text, state.role, state.name, state.inferred, state.immutable, state.metadata,
           state.categories, state.entities, state.relations, state.evidence, state.event_time,
           state.expiration_date, state.create_time, $11, $12::halfvec
    FROM memory_events AS e
    CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, e.state) AS state
    WHERE e.project_id = $1 AND e.memory_id = $2 AND e.version = $13
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        version = excluded.version, call_id = excluded.call_id, digest = excluded.digest,
        text = excluded.text, role = excluded.role, name = excluded.name,
        metadata = excluded.metadata, categories = excluded.categories,
        entities = excluded.entities, relations = excluded.relations,
        evidence = excluded.evidence, event_time = excluded.event_time,
        expiration_date = excluded.expiration_date, update_time = excluded.update_time,
        embedding = excluded.embedding
    WHERE m.version = $3 AND NOT m.immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest, text,
role, name, inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
expiration_date, create_time, update_time
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer)
    SELECT $1, $4, new_position.position, $14, $5, $6, $7, $8,
$9, $15, $16, $17, $18, $19, $20,
$21, $11, $22, $23, $24
    FROM new_position, written
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $1, written.memory_id, written.version, new_position.position, 0, $4,
           $25, $11, to_jsonb(written), $12::halfvec
    FROM written, new_position
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $1, written.memory_id, new_position.position, new_position.position,
           $18, $22
    FROM written, new_position
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT new_position.position FROM new_position, written;

-- name: delete_by_hand
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = $1 AND memory_id = $2 AND version = $3
    RETURNING memory_id, version, (entities || relations <> '[]' OR EXISTS (
    SELECT FROM graph_outbox AS o
    WHERE o.project_id = memories.project_id AND o.memory_id = memories.memory_id
)) AS had_subgraph
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
receipt AS MATERIALIZED (
    SELECT jsonb_build_object(
        'memories', 1, 'graph_memories', had_subgraph::integer
    ) AS counts
    FROM deleted
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer, outcome)
    SELECT $1, $4, new_position.position, $5, $6, $7, $8, $9,
$10, $11, $12, $13, $14, $15, $16,
$17, $18, $19, $20, $21, receipt.counts
    FROM new_position, receipt
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, deleted.memory_id, deleted.version + 1, new_position.position,
           row_number() OVER (ORDER BY deleted.memory_id) - 1, $4, 'DELETE', $18, NULL
    FROM deleted, new_position
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $1, deleted.memory_id, new_position.position, new_position.position,
           $14, $19
    FROM deleted, new_position
    WHERE had_subgraph
    ORDER BY deleted.memory_id
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT new_position.position, receipt.counts FROM new_position, receipt;

-- name: claim_batch
INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer)
SELECT $1, $2, new_position.position, $3, $4, $5, $6, $7,
$8, $9, $10, $11, $12, $13, $14,
$15, $16, $17, $18, $19
FROM (SELECT nextval('change_position') AS position) AS new_position
ON CONFLICT (project_id, request_id, item)
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL DO NOTHING;

-- name: batch_items
SELECT item, payload_digest
FROM calls
WHERE project_id = $1 AND request_id = $2 AND request_id_release_time IS NULL;

-- name: find_deletion
SELECT payload_digest, position, coalesce(outcome, '{}') AS counts
FROM calls
WHERE project_id = $1 AND request_id = $2 AND item = $3
  AND request_id_release_time IS NULL;
