-- The audit log. Events are only added, by the statements that perform the acts.

-- block: audit
INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)

-- block: actor
:actor_key_id::text, :actor_peer::text, :correlation_id::text

-- name: latest
SELECT *
FROM audit_events
WHERE project_id = :project_id AND (:before_position::bigint = 0 OR position < :before_position)
ORDER BY position DESC
LIMIT :limit;

-- name: latest_of_all
SELECT *
FROM audit_events
WHERE :before_position::bigint = 0 OR position < :before_position
ORDER BY position DESC
LIMIT :limit;

-- name: read
SELECT *
FROM audit_events
WHERE (:project_id::text IS NULL OR project_id = :project_id)
  AND event_time >= :since AND position > :after_position
ORDER BY position
LIMIT :limit;
