-- name: close
WITH keys AS (DELETE FROM api_keys WHERE project_id = $1 RETURNING key_id),
closed AS (
    UPDATE projects SET delete_time = coalesce(delete_time, $2)
    WHERE project_id = $1
    RETURNING project_id, org_id
),
audited AS (
    INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)
    SELECT project_id, org_id, $3::text, $4::text, $5::text, 'DeleteProject',
           jsonb_build_object('project_id', project_id),
           jsonb_build_object('key_ids', (SELECT coalesce(jsonb_agg(key_id), '[]') FROM keys)), '{}'
    FROM closed
)
SELECT project_id FROM closed;

-- name: tables
SELECT c.relname AS name, quote_ident(c.relname) AS quoted
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname NOT IN ('projects', 'graph_outbox', 'audit_events')
ORDER BY c.relname <> 'operations', c.relname <> 'passages', c.relname <> 'memories', c.relname;

-- name: delete_memories
WITH chosen AS MATERIALIZED (
    SELECT memory_id FROM memories WHERE project_id = $1 ORDER BY memory_id LIMIT $2 FOR UPDATE
),
deleted AS (
    DELETE FROM memories AS m
    USING chosen
    WHERE m.project_id = $1 AND m.memory_id = chosen.memory_id
    RETURNING m.memory_id
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
enqueued AS (
    INSERT INTO graph_outbox (project_id, memory_id, position, first_position, correlation_id)
    SELECT $1, deleted.memory_id, new_position.position, new_position.position,
           'project-deletion'
    FROM deleted, new_position
    ORDER BY deleted.memory_id
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT count(*) FROM deleted;

-- name: forget
WITH archive AS (DELETE FROM store_settings WHERE name = 'archive:' || $1::text)
DELETE FROM projects WHERE project_id = $1;
