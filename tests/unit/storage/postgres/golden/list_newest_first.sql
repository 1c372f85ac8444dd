-- name: list
SELECT m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM memories AS m
JOIN calls AS c USING (project_id, call_id)
WHERE m.project_id = $1
  AND ($2::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $2)
  AND m.user_id = $3 AND m.run_id = $4
  AND ((m.metadata <> '{}' AND m.metadata @> $5::jsonb) AND ($6::text = ANY (m.categories) OR strpos(casefold(m.text COLLATE "pg_unicode_fast"), casefold($7::text COLLATE "pg_unicode_fast")) > 0) AND (((m.create_time >= $8::timestamptz)) IS NOT TRUE))
  AND ($9::timestamptz IS NULL OR (m.create_time, m.memory_id) < ($9, $10::uuid))
ORDER BY m.create_time DESC, m.memory_id DESC
LIMIT $11;
