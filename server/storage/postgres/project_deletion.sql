-- Deleting a project in small steps. The slot `table` takes the quoted name of a table from
-- PostgreSQL's own catalog.

-- name: close
-- From now on no call can act on the project.
WITH keys AS (DELETE FROM api_keys WHERE project_id = :project_id RETURNING key_id),
closed AS (
    UPDATE projects SET delete_time = coalesce(delete_time, :delete_time)
    WHERE project_id = :project_id
    RETURNING project_id, org_id
),
audited AS (
    {audit}
    SELECT project_id, org_id, {actor}, 'DeleteProject',
           jsonb_build_object('project_id', project_id),
           jsonb_build_object('key_ids', (SELECT coalesce(jsonb_agg(key_id), '[]') FROM keys)), '{}'
    FROM closed
)
SELECT project_id FROM closed;

-- name: tables
-- Every table with a `project_id`, except the projects themselves, the outbox, which the graph still
-- needs, and the audit log, which outlives them. Operations come first, so that no server continues
-- one, then passages, which deleting memories would otherwise delete one by one, then memories.
SELECT c.relname AS name, quote_ident(c.relname) AS quoted
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname NOT IN ('projects', 'graph_outbox', 'audit_events')
ORDER BY c.relname <> 'operations', c.relname <> 'passages', c.relname <> 'memories', c.relname;

-- name: count (table)
SELECT count(*) FROM {table} WHERE project_id = :project_id;

-- name: delete_memories
WITH chosen AS MATERIALIZED (
    SELECT memory_id FROM memories WHERE project_id = :project_id ORDER BY memory_id LIMIT :limit FOR UPDATE
),
deleted AS (
    DELETE FROM memories AS m
    USING chosen
    WHERE m.project_id = :project_id AND m.memory_id = chosen.memory_id
    RETURNING m.memory_id
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
enqueued AS (
    INSERT INTO graph_outbox (project_id, memory_id, position, first_position, correlation_id)
    SELECT :project_id, deleted.memory_id, new_position.position, new_position.position,
           'project-deletion'
    FROM deleted, new_position
    ORDER BY deleted.memory_id
    {enqueue_again}
)
SELECT count(*) FROM deleted;

-- name: delete_rows (table)
WITH deleted AS (
    DELETE FROM {table}
    WHERE project_id = :project_id AND ctid = ANY (ARRAY(
        SELECT ctid FROM {table} WHERE project_id = :project_id LIMIT :limit
    ))
    RETURNING 1
)
SELECT count(*) FROM deleted;

-- name: forget
WITH archive AS (DELETE FROM store_settings WHERE name = 'archive:' || :project_id::text)
DELETE FROM projects WHERE project_id = :project_id;
