-- Leases on scopes. Times come from the database, so that the clocks of the servers need not agree:
-- from clock_timestamp(), because a statement may wait for a lock.

-- block: take_lease
INSERT INTO scope_leases (project_id, scope_key, lease, expires_at, server_id)
VALUES (:project_id, :scope_key, :lease, clock_timestamp() + :duration::interval, :server_id)
ON CONFLICT (project_id, scope_key) DO UPDATE SET
    lease = excluded.lease,
    expires_at = clock_timestamp() + :duration::interval,
    server_id = excluded.server_id
WHERE scope_leases.expires_at <= clock_timestamp()
RETURNING lease, scope_key

-- name: acquire
{take_lease};

-- name: renew
UPDATE scope_leases SET expires_at = clock_timestamp() + :duration::interval
WHERE project_id = :project_id AND scope_key = :scope_key AND lease = :lease
RETURNING lease;

-- name: release
DELETE FROM scope_leases
WHERE project_id = :project_id AND scope_key = :scope_key AND lease = :lease;
