-- name: lock_scope
SELECT count(*)
FROM (
    SELECT FROM memories
    WHERE project_id = $1 AND user_id = $2
    ORDER BY memory_id
    FOR UPDATE
) AS locked;
