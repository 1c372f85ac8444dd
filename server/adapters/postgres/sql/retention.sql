-- Finding what has expired, in all projects; erase.sql erases it, project by project.

-- name: try_alone
-- Until the transaction ends, no other server purges.
SELECT pg_try_advisory_xact_lock(hashtextextended('memoir retention', 65));

-- name: lock_expired
-- Memories of the project whose memory expired first. What others hold is left for the next time.
WITH project AS MATERIALIZED (
    SELECT project_id FROM memories WHERE expiration_date < $1 ORDER BY expiration_date LIMIT 1
)
SELECT m.project_id, m.memory_id
FROM memories AS m
JOIN project USING (project_id)
WHERE m.expiration_date < $1
ORDER BY m.expiration_date, m.memory_id
LIMIT $2
FOR UPDATE OF m SKIP LOCKED;

-- name: find_deleted
-- Memories that were deleted, and whose last state had expired by the same day. Several projects.
SELECT e.project_id, e.memory_id
FROM memory_events AS e
WHERE e.state ->> 'expiration_date' < $1::date::text
  AND NOT EXISTS (
      SELECT FROM memory_events AS later
      WHERE later.project_id = e.project_id AND later.memory_id = e.memory_id
        AND later.version > e.version AND later.state IS NOT NULL
  )
  AND NOT EXISTS (
      SELECT FROM memories AS m WHERE m.project_id = e.project_id AND m.memory_id = e.memory_id
  )
ORDER BY e.state ->> 'expiration_date'
LIMIT $2;
