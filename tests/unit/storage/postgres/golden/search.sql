-- name: read_past_hits
SELECT m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM unnest($1::uuid[]) AS wanted (memory_id)
CROSS JOIN LATERAL (
    SELECT e.state, e.call_id
    FROM memory_events AS e
    WHERE e.project_id = $2 AND e.memory_id = wanted.memory_id AND e.change_time <= $3
    ORDER BY e.version DESC
    LIMIT 1
) AS last
JOIN calls AS c ON c.project_id = $2 AND c.call_id = last.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS m
WHERE last.state IS NOT NULL
  AND ($4::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $4);

-- name: read_hits
SELECT m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM unnest($1::uuid[]) AS wanted (memory_id)
CROSS JOIN LATERAL (
    SELECT hit.*
    FROM memories AS hit
    WHERE hit.project_id = $2 AND hit.memory_id = wanted.memory_id
    LIMIT 1
) AS m
CROSS JOIN LATERAL (
    SELECT writer.*
    FROM calls AS writer
    WHERE writer.project_id = $2 AND writer.call_id = m.call_id
    LIMIT 1
) AS c
WHERE ($3::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $3);
