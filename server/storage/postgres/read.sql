-- Reads memories and calls. The slots `scope` and `filters` take conditions of filters.py, `page`
-- one of the blocks below. Other blocks are in memory_columns.sql.

-- name: get
SELECT {memory_columns}
FROM memories AS m
JOIN calls AS c USING (project_id, call_id)
WHERE m.project_id = :project_id AND m.memory_id = :memory_id
  AND {visible};

-- name: list (scope, filters, page)
SELECT {memory_columns}
FROM memories AS m
JOIN calls AS c USING (project_id, call_id)
WHERE m.project_id = :project_id
  AND {visible}
  AND {scope}
  AND {filters}
  AND {page}
LIMIT :limit;

-- block: has_entities
(m.entities <> '[]' OR m.relations <> '[]')

-- block: newest_first
(:after_time::timestamptz IS NULL OR (m.create_time, m.memory_id) < (:after_time, :after_id::uuid))
ORDER BY m.create_time DESC, m.memory_id DESC

-- block: oldest_first
(:after_time::timestamptz IS NULL OR (m.create_time, m.memory_id) > (:after_time, :after_id::uuid))
ORDER BY m.create_time, m.memory_id

-- name: visible
SELECT memory_id
FROM memories
WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[])
  AND (expiration_date IS NULL OR expiration_date >= :visible_on);

-- name: recent_messages
SELECT m.role, m.content, m.name
FROM calls AS c
JOIN messages AS m USING (project_id, call_id)
WHERE c.project_id = :project_id AND c.scope_key = :scope_key
ORDER BY c.position DESC, m.ordinal DESC
LIMIT :limit;

-- name: find_call
SELECT call_id, payload_digest, position, embedding_model, language_model, notices
FROM calls
WHERE project_id = :project_id AND request_id = :request_id AND item = :item
  AND request_id_release_time IS NULL;

-- name: get_call
SELECT call_id, payload_digest, position, embedding_model, language_model, notices
FROM calls
WHERE project_id = :project_id AND call_id = :call_id;

-- name: call_changes
-- The changes of a call. The state of a deleted memory is the one before the deletion.
SELECT e.type, m.*, c.request_id, c.correlation_id, c.embedding_model, c.language_model,
       c.prompt_version, c.key_id, before.state ->> 'text' AS previous_text,
       before.state -> 'relations' AS previous_relations
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
LEFT JOIN memory_events AS before
    ON before.project_id = e.project_id AND before.memory_id = e.memory_id
   AND before.version = e.version - 1
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, before.state)) AS m
WHERE e.project_id = :project_id AND e.call_id = :call_id AND e.ordinal >= 0 AND e.erased_scope IS NULL
ORDER BY e.ordinal;
