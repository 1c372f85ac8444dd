-- name: events
SELECT e.type, e.version AS event_version, e.change_time, e.state IS NOT NULL AS has_state,
       e.erased_scope, m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m
WHERE e.project_id = $1 AND e.memory_id = $2 AND e.version >= $3
ORDER BY e.version
LIMIT $4;

-- name: state_at
SELECT m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM (
    SELECT e.state, e.call_id
    FROM memory_events AS e
    WHERE e.project_id = $1 AND e.memory_id = $2 AND e.change_time <= $3
    ORDER BY e.version DESC
    LIMIT 1
) AS last
JOIN calls AS c ON c.project_id = $1 AND c.call_id = last.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS m
WHERE last.state IS NOT NULL
  AND ($4::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $4);

-- name: version
SELECT e.state IS NOT NULL AS has_state, newest.version AS last_version, embedded.embedding,
       m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
CROSS JOIN LATERAL (
    SELECT max(version) AS version
    FROM memory_events
    WHERE project_id = $1 AND memory_id = $2
) AS newest
LEFT JOIN LATERAL (
    SELECT earlier.embedding
    FROM memory_events AS earlier
    WHERE earlier.project_id = $1 AND earlier.memory_id = $2
      AND earlier.version <= e.version AND earlier.embedding IS NOT NULL
    ORDER BY earlier.version DESC
    LIMIT 1
) AS embedded ON true
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m
WHERE e.project_id = $1 AND e.memory_id = $2
  AND CASE WHEN $3::bigint IS NULL THEN e.state IS NOT NULL ELSE e.version = $3 END
ORDER BY e.version DESC
LIMIT 1;
