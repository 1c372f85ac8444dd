-- name: get
SELECT m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM memories AS m
JOIN calls AS c USING (project_id, call_id)
WHERE m.project_id = $1 AND m.memory_id = $2
  AND ($3::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $3);

-- name: visible
SELECT memory_id
FROM memories
WHERE project_id = $1 AND memory_id = ANY ($2::uuid[])
  AND (expiration_date IS NULL OR expiration_date >= $3);

-- name: recent_messages
SELECT m.role, m.content, m.name
FROM calls AS c
JOIN messages AS m USING (project_id, call_id)
WHERE c.project_id = $1 AND c.scope_key = $2
ORDER BY c.position DESC, m.ordinal DESC
LIMIT $3;

-- name: find_call
SELECT call_id, payload_digest, position, embedding_model, language_model, notices
FROM calls
WHERE project_id = $1 AND request_id = $2 AND item = $3
  AND request_id_release_time IS NULL;

-- name: get_call
SELECT call_id, payload_digest, position, embedding_model, language_model, notices
FROM calls
WHERE project_id = $1 AND call_id = $2;

-- name: call_changes
SELECT e.type, m.*, c.request_id, c.correlation_id, c.embedding_model, c.language_model,
       c.prompt_version, c.key_id, before.state ->> 'text' AS previous_text,
       before.state -> 'relations' AS previous_relations
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
LEFT JOIN memory_events AS before
    ON before.project_id = e.project_id AND before.memory_id = e.memory_id
   AND before.version = e.version - 1
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, before.state)) AS m
WHERE e.project_id = $1 AND e.call_id = $2 AND e.ordinal >= 0 AND e.erased_scope IS NULL
ORDER BY e.ordinal;
