-- name: lock_passages
SELECT count(*)
FROM (
    SELECT
    FROM calls AS c
    JOIN passages AS p ON p.project_id = $1 AND p.call_id = c.call_id
    WHERE c.project_id = $1 AND c.user_id = $2
    ORDER BY p.passage_id
    FOR UPDATE OF p
) AS locked;
