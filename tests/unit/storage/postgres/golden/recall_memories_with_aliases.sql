-- name: memories_with_aliases
SELECT m.memory_id, m.entities, m.text, m.graph_space AS space
FROM memories AS m
WHERE m.project_id = $1
  AND m.graph_space = ANY ($2::text[])
  AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
  AND m.user_id = $3 AND m.run_id = $4 AND (m.expiration_date IS NULL OR m.expiration_date >= $5);
