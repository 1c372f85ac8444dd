-- name: latest
SELECT *
FROM audit_events
WHERE project_id = $1 AND ($2::bigint = 0 OR position < $2)
ORDER BY position DESC
LIMIT $3;

-- name: latest_of_all
SELECT *
FROM audit_events
WHERE $1::bigint = 0 OR position < $1
ORDER BY position DESC
LIMIT $2;

-- name: read
SELECT *
FROM audit_events
WHERE ($1::text IS NULL OR project_id = $1)
  AND event_time >= $2 AND position > $3
ORDER BY position
LIMIT $4;
