-- Leases on scopes. Time is the database's, so that the servers' clocks need not agree. It is read
-- as the statement runs, not as it began, because it may have waited for another one.

-- name: acquire
INSERT INTO scope_leases (project_id, scope_key, lease, expires_at, server_id)
VALUES ($1, $2, $3, clock_timestamp() + $4::interval, $5)
ON CONFLICT (project_id, scope_key) DO UPDATE SET
    lease = excluded.lease,
    expires_at = clock_timestamp() + $4::interval,
    server_id = excluded.server_id
WHERE scope_leases.expires_at <= clock_timestamp()
RETURNING lease;

-- name: renew
UPDATE scope_leases SET expires_at = clock_timestamp() + $4::interval
WHERE project_id = $1 AND scope_key = $2 AND lease = $3
RETURNING lease;

-- name: release
DELETE FROM scope_leases
WHERE project_id = $1 AND scope_key = $2 AND lease = $3;
