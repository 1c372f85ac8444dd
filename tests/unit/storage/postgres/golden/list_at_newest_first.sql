-- name: list_at
SELECT m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM calls AS origin
JOIN memory_events AS born
    ON born.project_id = origin.project_id AND born.call_id = origin.call_id AND born.type = 'ADD'
CROSS JOIN LATERAL (
    SELECT e.state, e.call_id
    FROM memory_events AS e
    WHERE e.project_id = $1 AND e.memory_id = born.memory_id AND e.change_time <= $2
    ORDER BY e.version DESC
    LIMIT 1
) AS last
JOIN calls AS c ON c.project_id = $1 AND c.call_id = last.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS m
WHERE origin.project_id = $1 AND origin.call_time <= $2
  AND last.state IS NOT NULL
  AND ($3::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $3)
  AND origin.user_id = $4 AND origin.run_id = $5
  AND ((m.metadata <> '{}' AND m.metadata @> $6::jsonb) AND ($7::text = ANY (m.categories) OR strpos(casefold(m.text COLLATE "pg_unicode_fast"), casefold($8::text COLLATE "pg_unicode_fast")) > 0) AND (((m.create_time >= $9::timestamptz)) IS NOT TRUE))
  AND ($10::timestamptz IS NULL
 OR (origin.call_time, born.memory_id) < ($10, $11::uuid))
ORDER BY origin.call_time DESC, born.memory_id DESC
LIMIT $12;
