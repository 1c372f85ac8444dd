-- name: memories_with_aliases
SELECT memory_id, entities, text,
       coalesce('user:' || m.user_id, 'agent:' || m.agent_id, 'app:' || m.app_id, 'run:' || m.run_id) AS space
FROM memories AS m
WHERE m.project_id = $1
  AND coalesce('user:' || m.user_id, 'agent:' || m.agent_id, 'app:' || m.app_id, 'run:' || m.run_id) = ANY ($2::text[])
  AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
  AND m.user_id = $3 AND m.run_id = $4 AND (m.expiration_date IS NULL OR m.expiration_date >= $5);
