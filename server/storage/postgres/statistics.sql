-- Counts for the statistics of a project.

-- name: content
-- Reads indexes only, because the rows hold embeddings.
SELECT (SELECT count(*) FROM memories WHERE project_id = :project_id)
     - (SELECT count(*) FROM memories WHERE project_id = :project_id
       AND expiration_date < :visible_on) AS memories,
       (SELECT count(*) FROM messages WHERE project_id = :project_id) AS messages,
       (SELECT count(DISTINCT scope_key) FROM memories WHERE project_id = :project_id) AS scopes;

-- name: changes
SELECT type, count(*) AS since, count(*) FILTER (WHERE change_time >= :later_since) AS later_since
FROM memory_events
WHERE project_id = :project_id AND change_time >= :since
GROUP BY type;
