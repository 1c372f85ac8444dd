-- name: look
SELECT ARRAY(
           SELECT named.place
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS named (space, key, place)
           WHERE EXISTS (
               SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
               WHERE r.space = named.space AND r.source_key = named.key
           ) OR EXISTS (
               SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
               WHERE r.space = named.space AND r.target_key = named.key
           )
       ) AS known,
       EXISTS (
           SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
           WHERE r.space = ANY ($7::text[])
       ) AS has_relations,
       EXISTS (
           SELECT FROM memories AS m
           WHERE m.project_id = $3
             AND coalesce('user:' || m.user_id, 'agent:' || m.agent_id, 'app:' || m.app_id, 'run:' || m.run_id) = ANY ($7::text[])
             AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
       ) AS has_aliases;
