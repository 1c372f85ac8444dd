-- name: lock_operations
SELECT count(*)
FROM (
    SELECT FROM operations
    WHERE project_id = $1 AND user_id = $2 AND end_time IS NULL
    ORDER BY operation_id
    FOR UPDATE
) AS locked;
