-- The graph's outbox: state-based, one row a memory, claimed under a lease.

-- name: claim
UPDATE graph_outbox AS o
SET available_at = now() + $2, attempts = o.attempts + 1
FROM (
    SELECT project_id, memory_id
    FROM graph_outbox
    WHERE available_at <= now()
    ORDER BY available_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) AS free
WHERE o.project_id = free.project_id AND o.memory_id = free.memory_id
RETURNING o.project_id, o.memory_id, o.generation, o.attempts, o.correlation_id;

-- name: subgraphs
SELECT claimed.project_id, claimed.memory_id, claimed.correlation_id,
       m.memory_id IS NOT NULL AS found, m.version, m.user_id, m.agent_id, m.app_id, m.run_id,
       m.entities, m.relations, m.event_time
FROM unnest($1::text[], $2::uuid[], $3::text[])
    AS claimed (project_id, memory_id, correlation_id)
LEFT JOIN memories AS m
    ON m.project_id = claimed.project_id AND m.memory_id = claimed.memory_id
   AND (m.expiration_date IS NULL OR m.expiration_date >= $4);

-- name: settle
-- Rows are locked in one order, so that projectors and writers cannot deadlock on them. A memory
-- that has changed since the claim stays, free to be claimed, its newer changes still missing.
WITH claimed AS MATERIALIZED (
    SELECT o.project_id, o.memory_id, o.generation, done.generation AS done_generation
    FROM graph_outbox AS o
    JOIN unnest($1::text[], $2::uuid[], $3::bigint[])
        AS done (project_id, memory_id, generation) USING (project_id, memory_id)
    ORDER BY o.project_id, o.memory_id
    FOR UPDATE OF o
),
kept AS (
    UPDATE graph_outbox AS o
    SET available_at = now(), attempts = 0, first_generation = claimed.done_generation + 1
    FROM claimed
    WHERE o.project_id = claimed.project_id AND o.memory_id = claimed.memory_id
      AND claimed.generation > claimed.done_generation
)
DELETE FROM graph_outbox AS o
USING claimed
WHERE o.project_id = claimed.project_id AND o.memory_id = claimed.memory_id
  AND claimed.generation <= claimed.done_generation;

-- name: release
UPDATE graph_outbox AS o
SET available_at = now() + $3
FROM unnest($1::text[], $2::uuid[]) AS given (project_id, memory_id)
WHERE o.project_id = given.project_id AND o.memory_id = given.memory_id;

-- name: is_caught_up
SELECT NOT EXISTS (
    SELECT FROM graph_outbox WHERE project_id = $1 AND first_generation <= $2
);
