-- name: list_scopes
SELECT user_id AS id,
       count(*) FILTER (
           WHERE expiration_date IS NULL OR expiration_date >= $1
       ) AS memory_count,
       max(update_time) AS last_activity_time
FROM memories
WHERE project_id = $2 AND user_id > $3
GROUP BY user_id
ORDER BY user_id
LIMIT $4;
