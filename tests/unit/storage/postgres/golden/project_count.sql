-- name: count
SELECT count(*) FROM messages WHERE project_id = $1;
