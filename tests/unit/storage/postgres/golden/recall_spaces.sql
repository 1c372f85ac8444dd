-- name: spaces
SELECT DISTINCT newest.space
FROM (
    SELECT r.space FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $1 AND m.user_id = $2 AND m.run_id = $3
  AND (m.expiration_date IS NULL OR m.expiration_date >= $4)) AS r
    ORDER BY r.event_time DESC
    LIMIT $5
) AS newest
LIMIT $6;
