-- name: content
SELECT (SELECT count(*) FROM memories WHERE project_id = $1)
     - (SELECT count(*) FROM memories WHERE project_id = $1
       AND expiration_date < $2) AS memories,
       (SELECT count(*) FROM messages WHERE project_id = $1) AS messages,
       (SELECT count(DISTINCT scope_key) FROM memories WHERE project_id = $1) AS scopes;

-- name: changes
SELECT type, count(*) AS since, count(*) FILTER (WHERE change_time >= $1) AS later_since
FROM memory_events
WHERE project_id = $2 AND change_time >= $3
GROUP BY type;
