-- What an add with inference reads before it asks the model. The block `take_lease` is in leases.sql.

-- name: begin_add
-- Takes the lease of a scope, and returns the project's settings with the memories nearest to the
-- vectors. No row if another holder has the lease. nearest_memories gets its scope from the lease that
-- was taken, so it begins afterwards, and sees everything that the previous holder committed.
WITH taken AS (
    {take_lease}
)
SELECT p.custom_instructions, p.custom_categories, p.keeps_passages, nearest.*
FROM taken
LEFT JOIN projects AS p ON p.project_id = :project_id AND p.delete_time IS NULL
CROSS JOIN LATERAL (
    SELECT array_agg(near.memory_id ORDER BY near.similarity DESC, near.memory_id) AS memory_ids,
           array_agg(near.version ORDER BY near.similarity DESC, near.memory_id) AS versions,
           array_agg(near.update_time ORDER BY near.similarity DESC, near.memory_id) AS update_times
    FROM nearest_memories(
        :project_id, taken.scope_key, :vectors::halfvec[], :limit, :visible_on
    ) AS near
) AS nearest;

-- name: read_candidates
SELECT memory_id, text, version, update_time, immutable, embedding, entities, relations, role, name
FROM memories
WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[]);
