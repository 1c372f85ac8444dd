-- name: acquire
INSERT INTO scope_leases (project_id, scope_key, lease, expires_at, server_id)
VALUES ($1, $2, $3, clock_timestamp() + $4::interval, $5)
ON CONFLICT (project_id, scope_key) DO UPDATE SET
    lease = excluded.lease,
    expires_at = clock_timestamp() + $4::interval,
    server_id = excluded.server_id
WHERE scope_leases.expires_at <= clock_timestamp()
RETURNING lease, scope_key;

-- name: renew
UPDATE scope_leases SET expires_at = clock_timestamp() + $1::interval
WHERE project_id = $2 AND scope_key = $3 AND lease = $4
RETURNING lease;

-- name: release
DELETE FROM scope_leases
WHERE project_id = $1 AND scope_key = $2 AND lease = $3;
