-- Deleting a project in small steps. `{table}` stands for the quoted name of a table that the catalog of
-- PostgreSQL has; $1 is the project.

-- name: close
-- From here on no call may act on the project.
WITH keys AS (DELETE FROM api_keys WHERE project_id = $1)
UPDATE projects SET delete_time = coalesce(delete_time, $2) WHERE project_id = $1
RETURNING project_id;

-- name: tables
-- Every table with rows of projects, but for the project itself and for the outbox, which the graph
-- follows by. Operations go first, so that no server goes on with one, then passages, which would
-- otherwise follow each memory, and memories next.
SELECT c.relname AS name, quote_ident(c.relname) AS quoted
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname NOT IN ('projects', 'graph_outbox')
ORDER BY c.relname <> 'operations', c.relname <> 'passages', c.relname <> 'memories', c.relname;

-- name: count
SELECT count(*) FROM {table} WHERE project_id = $1;

-- name: delete_memories
WITH chosen AS MATERIALIZED (
    SELECT memory_id FROM memories WHERE project_id = $1 ORDER BY memory_id LIMIT $2 FOR UPDATE
),
gone AS (
    DELETE FROM memories AS m
    USING chosen
    WHERE m.project_id = $1 AND m.memory_id = chosen.memory_id
    RETURNING m.memory_id
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
enqueued AS (
    INSERT INTO graph_outbox (project_id, memory_id, position, first_position, correlation_id)
    SELECT $1, gone.memory_id, new_position.position, new_position.position, 'project-deletion'
    FROM gone, new_position
    ORDER BY gone.memory_id
    {enqueue_again}
)
SELECT count(*) FROM gone;

-- name: delete_rows
WITH gone AS (
    DELETE FROM {table}
    WHERE project_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM {table} WHERE project_id = $1 LIMIT $2
    ))
    RETURNING 1
)
SELECT count(*) FROM gone;

-- name: forget
WITH archive AS (DELETE FROM store_settings WHERE name = 'archive:' || $1::text)
DELETE FROM projects WHERE project_id = $1;
