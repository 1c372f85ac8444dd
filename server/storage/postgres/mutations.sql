-- Changing and deleting memories that are there. Some names in braces stand for the blocks of
-- `changing.sql`: the first 17 parameters of a changing statement are those of its call.
-- `{scope}` stands for one fixed condition a scope field (see filters.py), `{column}` for the
-- name of one scope field, `{passages}` for the block `present` of passages.sql; values are always
-- bound.

-- name: amend_memory
-- Returns no row, and writes nothing, unless the memory is in the state that was decided on.
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
updated AS (
    UPDATE memories SET
        version = version + 1, call_id = $2, text = $20, digest = $21,
        embedding = coalesce($22::halfvec, embedding), metadata = $23, categories = $24,
        entities = $25, relations = $26, evidence = $27, expiration_date = $28, update_time = $16
    WHERE project_id = $1 AND memory_id = $18 AND version = $19 AND NOT immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id,
              scope_key, digest, text, role, name, inferred, immutable, metadata, categories,
              entities, relations, evidence, event_time, expiration_date, create_time, update_time
),
recorded AS (
    INSERT INTO calls ({call_columns})
    SELECT {call_values}
    FROM new_position, updated
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $1, updated.memory_id, updated.version, new_position.position, 0, $2, 'UPDATE', $16,
           to_jsonb(updated), $22::halfvec
    FROM updated, new_position
),
enqueued AS (
    {enqueue}
    SELECT $1, updated.memory_id, new_position.position, new_position.position, $12, $17
    FROM updated, new_position
    {enqueue_again}
)
SELECT new_position.position FROM new_position, updated;

-- name: remove_memory
-- Returns no row, and writes nothing, unless the memory is in the state that was decided on.
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
deleted AS (
    DELETE FROM memories
    WHERE project_id = $1 AND memory_id = $18 AND version = $19
    RETURNING memory_id, version
),
receipt AS MATERIALIZED (
    SELECT jsonb_build_object('memories', count(*), 'graph_memories', count(*)) AS counts
    FROM deleted
),
recorded AS (
    INSERT INTO calls ({call_columns}, outcome)
    SELECT {call_values}, receipt.counts
    FROM new_position, deleted, receipt
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, deleted.memory_id, deleted.version + 1, new_position.position, 0, $2, 'DELETE', $16, NULL
    FROM deleted, new_position
),
enqueued AS (
    {enqueue}
    SELECT $1, deleted.memory_id, new_position.position, new_position.position, $12, $17
    FROM deleted, new_position
    {enqueue_again}
)
SELECT new_position.position, receipt.counts FROM new_position, deleted, receipt;

-- name: restore_memory
-- Writes the memory as it was, whether it is present at the version that was decided on ($20, the newest)
-- or deleted. Returns no row, and writes nothing, where it is present otherwise or immutable; where it is
-- deleted, a rival's event with the same version makes this fail. The place in its first call stays.
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
origin AS MATERIALIZED (
    SELECT ordinal
    FROM memory_events
    WHERE project_id = $1 AND memory_id = $18 AND type = 'ADD'
    ORDER BY version
    LIMIT 1
),
restored AS (
    INSERT INTO memories AS m (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding, ordinal
    )
    SELECT $1, $18, $20 + 1, $2, $4, $5, $6, $7, $8,
           $21, state.text, state.role, state.name, state.inferred, state.immutable, state.metadata,
           state.categories, state.entities, state.relations, state.evidence, state.event_time,
           state.expiration_date, state.create_time, $16, $22::halfvec, origin.ordinal
    FROM origin, memory_events AS e
    CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, e.state) AS state
    WHERE e.project_id = $1 AND e.memory_id = $18 AND e.version = $19
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        version = excluded.version, call_id = excluded.call_id, digest = excluded.digest,
        text = excluded.text, role = excluded.role, name = excluded.name,
        metadata = excluded.metadata, categories = excluded.categories,
        entities = excluded.entities, relations = excluded.relations,
        evidence = excluded.evidence, event_time = excluded.event_time,
        expiration_date = excluded.expiration_date, update_time = excluded.update_time,
        embedding = excluded.embedding
    WHERE m.version = $20 AND NOT m.immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id,
              scope_key, digest, text, role, name, inferred, immutable, metadata, categories,
              entities, relations, evidence, event_time, expiration_date, create_time, update_time
),
recorded AS (
    INSERT INTO calls ({call_columns})
    SELECT {call_values}
    FROM new_position, restored
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $1, restored.memory_id, restored.version, new_position.position, 0, $2, 'RESTORE', $16,
           to_jsonb(restored), $22::halfvec
    FROM restored, new_position
),
enqueued AS (
    {enqueue}
    SELECT $1, restored.memory_id, new_position.position, new_position.position, $12, $17
    FROM restored, new_position
    {enqueue_again}
)
SELECT new_position.position FROM new_position, restored;

-- name: claim_batch
INSERT INTO calls ({call_columns})
SELECT {call_values}
FROM (SELECT nextval('change_position') AS position) AS new_position
ON CONFLICT (project_id, request_id, item)
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL DO NOTHING;

-- name: batch_items
SELECT item, payload_digest
FROM calls
WHERE project_id = $1 AND request_id = $2 AND request_id_release_time IS NULL;

-- name: find_item
SELECT call_id, payload_digest, position, embedding_model, language_model, notices
FROM calls
WHERE project_id = $1 AND request_id = $2 AND item = $3 AND request_id_release_time IS NULL;

-- name: delete_memories
-- Rows are locked in one order, so that two deletions do not wait for each other.
WITH locked AS MATERIALIZED (
    SELECT m.memory_id
    FROM memories AS m
    WHERE m.project_id = $1 AND {scope} AND {filters}
    ORDER BY m.memory_id
    FOR UPDATE
),
deleted AS (
    DELETE FROM memories AS m
    USING locked
    WHERE m.project_id = $1 AND m.memory_id = locked.memory_id
    RETURNING m.memory_id, m.version
),
untold AS (
    -- Passages have what filters ask for, so those that match go too.
    UPDATE passages AS p
    SET delete_time = $16
    FROM (SELECT m.memory_id FROM ({passages}) AS m WHERE m.project_id = $1 AND {scope} AND {filters})
        AS matching
    WHERE p.project_id = $1 AND p.passage_id = matching.memory_id
    RETURNING p.passage_id
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
receipt AS MATERIALIZED (
    SELECT jsonb_build_object(
        'memories', (SELECT count(*) FROM deleted),
        'graph_memories', (SELECT count(*) FROM deleted),
        'passages', (SELECT count(*) FROM untold)
    ) AS counts
),
recorded AS (
    INSERT INTO calls ({call_columns}, outcome)
    SELECT {call_values}, receipt.counts
    FROM new_position, receipt
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, deleted.memory_id, deleted.version + 1, new_position.position,
           row_number() OVER (ORDER BY deleted.memory_id) - 1, $2, 'DELETE', $16, NULL
    FROM deleted, new_position
),
enqueued AS (
    {enqueue}
    SELECT $1, deleted.memory_id, new_position.position, new_position.position, $12, $17
    FROM deleted, new_position
    ORDER BY deleted.memory_id
    {enqueue_again}
)
SELECT new_position.position, receipt.counts FROM new_position, receipt;

-- name: lock_operations
-- Before the memories, as a commit of an operation locks them, so that neither waits for the other.
SELECT count(*)
FROM (
    SELECT FROM operations
    WHERE project_id = $1 AND {column} = $2 AND end_time IS NULL
    ORDER BY operation_id
    FOR UPDATE
) AS locked;

-- name: lock_scope
-- Waits for the changes in progress, so that the next statement sees what they leave behind.
SELECT count(*)
FROM (
    SELECT FROM memories
    WHERE project_id = $1 AND {column} = $2
    ORDER BY memory_id
    FOR UPDATE
) AS locked;

-- name: erase_scope
-- Every memory of the scope came to be in a call of the scope, so those calls lead to the whole
-- history, to that of deleted memories too.
WITH scope_calls AS MATERIALIZED (
    SELECT call_id FROM calls WHERE project_id = $1 AND {column} = $18
),
scope_memories AS MATERIALIZED (
    SELECT e.memory_id
    FROM scope_calls JOIN memory_events AS e ON e.project_id = $1 AND e.call_id = scope_calls.call_id
    UNION
    -- What was erased before, perhaps by a call of another scope.
    SELECT memory_id
    FROM memory_events
    WHERE project_id = $1 AND erased_scope @> jsonb_build_object('{column}', $18::text)
),
deleted_memories AS (
    DELETE FROM memories WHERE project_id = $1 AND {column} = $18
    RETURNING memory_id
),
deleted_messages AS (
    DELETE FROM messages AS m
    USING scope_calls
    WHERE m.project_id = $1 AND m.call_id = scope_calls.call_id
    RETURNING m.call_id
),
untold AS (
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
    -- Those that are done have the id of a call of theirs, or name another one of these.
    SELECT call_id AS operation_id FROM scope_calls
    UNION
    SELECT o.operation_id
    FROM scope_calls JOIN operations AS o ON o.project_id = $1 AND o.call_id = scope_calls.call_id
    WHERE o.call_id <> o.operation_id
    UNION
    SELECT operation_id
    FROM operations
    WHERE project_id = $1 AND {column} = $18 AND end_time IS NULL
    UNION
    SELECT operation_id
    FROM operations
    WHERE project_id = $1 AND {column} = $18 AND state IN ('FAILED', 'CANCELLED')
),
deleted_operations AS (
    -- What is still to be done for the scope holds what it says, too.
    DELETE FROM operations AS o
    USING scope_operations
    WHERE o.project_id = $1 AND o.operation_id = scope_operations.operation_id AND o.{column} = $18
    RETURNING o.operation_id
),
deleted_splits AS (
    -- Names that were told apart in its graph space, such as `user:alice`.
    DELETE FROM entity_splits WHERE project_id = $1 AND space = left('{column}', -3) || ':' || $18
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
receipt AS MATERIALIZED (
    SELECT jsonb_build_object(
        'memories', (SELECT count(*) FROM deleted_memories),
        'messages', (SELECT count(*) FROM deleted_messages),
        'events', (SELECT count(*) FROM deleted_events),
        'graph_memories', (SELECT count(*) FROM deleted_memories),
        'passages', (SELECT count(*) FROM untold WHERE delete_time IS NULL)
    ) AS counts
),
recorded AS (
    INSERT INTO calls ({call_columns}, outcome)
    SELECT {call_values}, receipt.counts
    FROM new_position, receipt
),
enqueued AS (
    {enqueue}
    SELECT $1, deleted_memories.memory_id, new_position.position, new_position.position, $12, $17
    FROM deleted_memories, new_position
    ORDER BY deleted_memories.memory_id
    {enqueue_again}
)
SELECT new_position.position, receipt.counts,
       EXISTS (SELECT FROM scope_calls) OR EXISTS (SELECT FROM deleted_operations) AS was_known
FROM new_position, receipt;

-- name: find_deletion
SELECT payload_digest, position, coalesce(outcome, '{}') AS counts
FROM calls
WHERE project_id = $1 AND request_id = $2 AND item = $3 AND request_id_release_time IS NULL;

-- name: list_scopes
SELECT {column} AS id,
       count(*) FILTER (WHERE expiration_date IS NULL OR expiration_date >= $4) AS memory_count,
       max(update_time) AS last_activity_time
FROM memories
WHERE project_id = $1 AND {column} > $2
GROUP BY {column}
ORDER BY {column}
LIMIT $3;
