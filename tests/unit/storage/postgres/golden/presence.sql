-- name: enter
INSERT INTO servers (server_id)
SELECT $1 FROM pg_advisory_lock_shared($1)
ON CONFLICT (server_id) DO NOTHING;

-- name: missing
SELECT server_id FROM servers WHERE pg_try_advisory_xact_lock(server_id);

-- name: end_leases
WITH missing AS MATERIALIZED (
    SELECT server_id
    FROM servers
    WHERE server_id = ANY ($1::bigint[]) AND pg_try_advisory_xact_lock(server_id)
),
held_operations AS MATERIALIZED (
    SELECT o.project_id, o.operation_id
    FROM operations AS o JOIN missing ON missing.server_id = o.server_id
    WHERE o.end_time IS NULL AND o.lease IS NOT NULL
    FOR UPDATE OF o SKIP LOCKED
),
held_scopes AS MATERIALIZED (
    SELECT l.project_id, l.scope_key
    FROM scope_leases AS l JOIN missing ON missing.server_id = l.server_id
    FOR UPDATE OF l SKIP LOCKED
),
deleted_servers AS (
    DELETE FROM servers USING missing
    WHERE servers.server_id = missing.server_id
      AND NOT EXISTS (
        SELECT FROM operations AS o
        WHERE o.server_id = missing.server_id AND o.end_time IS NULL AND o.lease IS NOT NULL
          AND (o.project_id, o.operation_id) NOT IN (SELECT * FROM held_operations)
      )
      AND NOT EXISTS (
        SELECT FROM scope_leases AS l
        WHERE l.server_id = missing.server_id
          AND (l.project_id, l.scope_key) NOT IN (SELECT * FROM held_scopes)
      )
),
ended_operations AS (
    UPDATE operations AS o SET available_at = clock_timestamp()
    FROM held_operations AS held
    WHERE o.project_id = held.project_id AND o.operation_id = held.operation_id
    RETURNING o.operation_id
),
ended_scopes AS (
    UPDATE scope_leases AS l SET expires_at = clock_timestamp()
    FROM held_scopes AS held
    WHERE l.project_id = held.project_id AND l.scope_key = held.scope_key
    RETURNING l.lease
)
SELECT (SELECT count(*) FROM ended_operations) + (SELECT count(*) FROM ended_scopes) AS leases;
