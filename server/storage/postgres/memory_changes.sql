-- Changing and deleting existing memories. Blocks that are not here are in changing.sql and
-- passages.sql. The slots `scope` and `filters` take conditions of filters.py, `column` the name of
-- a scope field.

-- block: written_state
-- The parts of a statement after the CTE `written`, which writes the state of a memory: the call,
-- the event, and the outbox row. The statement returns no row if nothing was written.
recorded AS (
    INSERT INTO calls ({call_columns})
    SELECT {call_values}
    FROM new_position, written
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT :project_id, written.memory_id, written.version, new_position.position, 0, :call_id,
           :type, :call_time, to_jsonb(written), :embedding::halfvec
    FROM written, new_position
),
enqueued AS (
    {enqueue}
    SELECT :project_id, written.memory_id, new_position.position, new_position.position,
           :correlation_id, :traceparent
    FROM written, new_position
    {enqueue_again}
)
SELECT new_position.position FROM new_position, written

-- name: replace_memory
-- Writes nothing unless the memory still has the version that the change is based on.
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
written AS (
    UPDATE memories SET
        version = version + 1, call_id = :call_id, text = :text, digest = :digest,
        embedding = coalesce(:embedding::halfvec, embedding), metadata = :metadata,
        categories = :categories, entities = :entities, relations = :relations, evidence = :evidence,
        expiration_date = :expiration_date, update_time = :call_time
    WHERE project_id = :project_id AND memory_id = :memory_id AND version = :version AND NOT immutable
    RETURNING {state}
),
{written_state};

-- name: restore_memory
-- Writes the memory as it was at `from_version`, whether it still exists, at the newest version
-- (`version`), or was deleted. Writes nothing if it exists at another version or is immutable. If it
-- was deleted, a concurrent event with the same version violates the primary key.
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
written AS (
    INSERT INTO memories AS m (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding
    )
    SELECT :project_id, :memory_id, :version + 1, :call_id, :user_id, :agent_id, :app_id, :run_id,
           :scope_key, :digest, state.text, state.role, state.name, state.inferred, state.immutable, state.metadata,
           state.categories, state.entities, state.relations, state.evidence, state.event_time,
           state.expiration_date, state.create_time, :call_time, :embedding::halfvec
    FROM memory_events AS e
    CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, e.state) AS state
    WHERE e.project_id = :project_id AND e.memory_id = :memory_id AND e.version = :from_version
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        version = excluded.version, call_id = excluded.call_id, digest = excluded.digest,
        text = excluded.text, role = excluded.role, name = excluded.name,
        metadata = excluded.metadata, categories = excluded.categories,
        entities = excluded.entities, relations = excluded.relations,
        evidence = excluded.evidence, event_time = excluded.event_time,
        expiration_date = excluded.expiration_date, update_time = excluded.update_time,
        embedding = excluded.embedding
    WHERE m.version = :version AND NOT m.immutable
    RETURNING {state}
),
{written_state};

-- block: deletion_effects
-- The parts of a statement after the CTEs `deleted`, which deletes memories, and `receipt`, which
-- counts them: the call, the events, and the outbox rows, in one order.
recorded AS (
    INSERT INTO calls ({call_columns}, outcome)
    SELECT {call_values}, receipt.counts
    FROM new_position, receipt
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT :project_id, deleted.memory_id, deleted.version + 1, new_position.position,
           row_number() OVER (ORDER BY deleted.memory_id) - 1, :call_id, 'DELETE', :call_time, NULL
    FROM deleted, new_position
),
enqueued AS (
    {enqueue}
    SELECT :project_id, deleted.memory_id, new_position.position, new_position.position,
           :correlation_id, :traceparent
    FROM deleted, new_position
    WHERE had_subgraph
    ORDER BY deleted.memory_id
    {enqueue_again}
)
SELECT new_position.position, receipt.counts FROM new_position, receipt

-- name: delete_by_hand
-- Returns no row, and writes nothing, unless the memory still has the version that the deletion is
-- based on.
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = :project_id AND memory_id = :memory_id AND version = :version
    RETURNING memory_id, version, {had_subgraph}
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
receipt AS MATERIALIZED (
    SELECT jsonb_build_object(
        'memories', 1, 'graph_memories', had_subgraph::integer
    ) AS counts
    FROM deleted
),
{deletion_effects};

-- name: claim_batch
INSERT INTO calls ({call_columns})
SELECT {call_values}
FROM (SELECT nextval('change_position') AS position) AS new_position
ON CONFLICT (project_id, request_id, item)
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL DO NOTHING;

-- name: batch_items
SELECT item, payload_digest
FROM calls
WHERE project_id = :project_id AND request_id = :request_id AND request_id_release_time IS NULL;

-- name: delete_memories (scope, filters)
-- Locks the rows in one order, so that two deletions cannot deadlock.
WITH locked AS MATERIALIZED (
    SELECT m.memory_id
    FROM memories AS m
    WHERE m.project_id = :project_id AND {scope} AND {filters}
    ORDER BY m.memory_id
    FOR UPDATE
),
deleted AS (
    DELETE FROM memories
    USING locked
    WHERE memories.project_id = :project_id AND memories.memory_id = locked.memory_id
    RETURNING memories.memory_id, version, {had_subgraph}
),
-- Passages have the fields that filters compare, so matching ones are deleted too.
locked_passages AS MATERIALIZED ({locked_passages}),
deleted_passages AS (
    UPDATE passages AS p
    SET delete_time = :call_time
    FROM locked_passages
    WHERE p.project_id = :project_id AND p.passage_id = locked_passages.passage_id
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
{deletion_effects};

-- name: lock_operations (column)
-- Operations are locked before memories, the order of a commit, so that the two cannot deadlock.
SELECT count(*)
FROM (
    SELECT FROM operations
    WHERE project_id = :project_id AND {column} = :scope_id AND end_time IS NULL
    ORDER BY operation_id
    FOR UPDATE
) AS locked;

-- name: lock_scope (column)
-- Waits for the changes in progress, so that the next statement sees their results.
SELECT count(*)
FROM (
    SELECT FROM memories
    WHERE project_id = :project_id AND {column} = :scope_id
    ORDER BY memory_id
    FOR UPDATE
) AS locked;

-- name: lock_passages (column)
-- Locks in one order, so that two deletions cannot deadlock.
SELECT count(*)
FROM (
    SELECT
    FROM calls AS c
    JOIN passages AS p ON p.project_id = :project_id AND p.call_id = c.call_id
    WHERE c.project_id = :project_id AND c.{column} = :scope_id
    ORDER BY p.passage_id
    FOR UPDATE OF p
) AS locked;

-- name: erase_scope (column)
-- Deletes everything that is stored of the scopes with this id: memories, messages, passages,
-- history, calls and operations, and enqueues the memories for the graph. Only the call of the
-- erasure remains, with the counts. Every memory was added by a call of its own scope, so the calls
-- of the scope lead to its whole history, including that of deleted memories. `was_known` is false
-- if there was nothing. It costs index scans in proportion to what the scope holds, whatever the
-- size of the table. tests/integration/postgres/test_history_plans.py holds that.
WITH scope_calls AS MATERIALIZED (
    SELECT call_id FROM calls WHERE project_id = :project_id AND {column} = :scope_id
),
scope_memories AS MATERIALIZED (
    SELECT e.memory_id
    FROM scope_calls
    JOIN memory_events AS e ON e.project_id = :project_id AND e.call_id = scope_calls.call_id
    UNION
    -- Memories that were erased earlier, possibly by a call of another scope.
    SELECT memory_id
    FROM memory_events
    WHERE project_id = :project_id AND erased_scope @> jsonb_build_object(:field::text, :scope_id::text)
),
deleted_memories AS (
    DELETE FROM memories WHERE project_id = :project_id AND {column} = :scope_id
    RETURNING memory_id, {had_subgraph}
),
deleted_messages AS (
    DELETE FROM messages AS m
    USING scope_calls
    WHERE m.project_id = :project_id AND m.call_id = scope_calls.call_id
    RETURNING m.call_id
),
deleted_passages AS (
    DELETE FROM passages AS p
    USING scope_calls
    WHERE p.project_id = :project_id AND p.call_id = scope_calls.call_id
    RETURNING p.delete_time
),
deleted_events AS (
    DELETE FROM memory_events AS e
    USING scope_memories
    WHERE e.project_id = :project_id AND e.memory_id = scope_memories.memory_id
    RETURNING e.memory_id
),
deleted_calls AS (
    DELETE FROM calls AS c
    USING scope_calls
    WHERE c.project_id = :project_id AND c.call_id = scope_calls.call_id
),
scope_operations AS MATERIALIZED (
    -- A finished operation has the id of its call, or names an earlier call of the scope.
    SELECT call_id AS operation_id FROM scope_calls
    UNION
    SELECT o.operation_id
    FROM scope_calls
    JOIN operations AS o ON o.project_id = :project_id AND o.call_id = scope_calls.call_id
    WHERE o.call_id <> o.operation_id
    UNION
    SELECT operation_id
    FROM operations
    WHERE project_id = :project_id AND {column} = :scope_id AND end_time IS NULL
    UNION
    SELECT operation_id
    FROM operations
    WHERE project_id = :project_id AND {column} = :scope_id AND state IN ('FAILED', 'CANCELLED')
),
deleted_operations AS (
    -- The payloads of unfinished operations hold text of the scope.
    DELETE FROM operations AS o
    USING scope_operations
    WHERE o.project_id = :project_id AND o.operation_id = scope_operations.operation_id
      AND o.{column} = :scope_id
    RETURNING o.operation_id
),
deleted_splits AS (
    -- Splits of names in its graph space, such as `user:alice`.
    DELETE FROM entity_splits WHERE project_id = :project_id AND space = :kind || ':' || :scope_id
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
    INSERT INTO calls ({call_columns}, outcome)
    SELECT {call_values}, receipt.counts
    FROM new_position, receipt
),
enqueued AS (
    {enqueue}
    SELECT :project_id, deleted_memories.memory_id, new_position.position, new_position.position,
           :correlation_id, :traceparent
    FROM deleted_memories, new_position
    WHERE had_subgraph
    ORDER BY deleted_memories.memory_id
    {enqueue_again}
)
SELECT new_position.position, receipt.counts,
       EXISTS (SELECT FROM scope_calls) OR EXISTS (SELECT FROM deleted_operations) AS was_known
FROM new_position, receipt;

-- name: find_deletion
SELECT payload_digest, position, coalesce(outcome, '{}') AS counts
FROM calls
WHERE project_id = :project_id AND request_id = :request_id AND item = :item
  AND request_id_release_time IS NULL;

-- name: list_scopes (column)
SELECT {column} AS id,
       count(*) FILTER (
           WHERE expiration_date IS NULL OR expiration_date >= :visible_on
       ) AS memory_count,
       max(update_time) AS last_activity_time
FROM memories
WHERE project_id = :project_id AND {column} > :after_id
GROUP BY {column}
ORDER BY {column}
LIMIT :limit;
