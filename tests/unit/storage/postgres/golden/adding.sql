-- name: begin_add
WITH taken AS (
    INSERT INTO scope_leases (project_id, scope_key, lease, expires_at, server_id)
VALUES ($1, $2, $3, clock_timestamp() + $4::interval, $5)
ON CONFLICT (project_id, scope_key) DO UPDATE SET
    lease = excluded.lease,
    expires_at = clock_timestamp() + $4::interval,
    server_id = excluded.server_id
WHERE scope_leases.expires_at <= clock_timestamp()
RETURNING lease, scope_key
)
SELECT p.custom_instructions, p.custom_categories, p.keeps_passages, nearest.*
FROM taken
LEFT JOIN projects AS p ON p.project_id = $1 AND p.delete_time IS NULL
CROSS JOIN LATERAL (
    SELECT array_agg(near.memory_id ORDER BY near.similarity DESC, near.memory_id) AS memory_ids,
           array_agg(near.version ORDER BY near.similarity DESC, near.memory_id) AS versions,
           array_agg(near.update_time ORDER BY near.similarity DESC, near.memory_id) AS update_times
    FROM nearest_memories(
        $1, taken.scope_key, $6::halfvec[], $7, $8
    ) AS near
) AS nearest;

-- name: read_candidates
SELECT memory_id, text, version, update_time, immutable, embedding, entities, relations, role, name
FROM memories
WHERE project_id = $1 AND memory_id = ANY ($2::uuid[]);
