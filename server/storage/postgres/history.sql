-- Reading the past: every event holds the whole state that it led to. `{columns}` stands for a fixed
-- block of this file, `{scope}` for one fixed condition a scope field that a query names (see
-- filters.py), `{filters}` for the condition that a client's filter is compiled to (see
-- filters.py), `{page}` for a block; values are always bound.

-- name: state_columns
m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version

-- name: events
-- Each event with its call; the state before is that of the event before.
SELECT e.type, e.version AS event_version, e.change_time, e.state IS NOT NULL AS has_state,
       e.erased_scope, {columns}
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m
WHERE e.project_id = $1 AND e.memory_id = $2 AND e.version >= $3
ORDER BY e.version
LIMIT $4;

-- name: state_at
SELECT {columns}
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
-- The version $3, or where that is null the last one that is not a deletion. An event without an embedding
-- left the text as it was before.
SELECT e.state IS NOT NULL AS has_state, newest.version AS last_version, embedded.embedding, {columns}
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
CROSS JOIN LATERAL (
    SELECT max(version) AS version FROM memory_events WHERE project_id = $1 AND memory_id = $2
) AS newest
LEFT JOIN LATERAL (
    SELECT earlier.embedding
    FROM memory_events AS earlier
    WHERE earlier.project_id = $1 AND earlier.memory_id = $2 AND earlier.version <= e.version
      AND earlier.embedding IS NOT NULL
    ORDER BY earlier.version DESC
    LIMIT 1
) AS embedded ON true
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m
WHERE e.project_id = $1 AND e.memory_id = $2
  AND CASE WHEN $3::bigint IS NULL THEN e.state IS NOT NULL ELSE e.version = $3 END
ORDER BY e.version DESC
LIMIT 1;

-- name: list_at
-- Every memory came to be in a call of its own scope, at the time of that call: so the calls of the
-- scope (`origin`) lead to the memories as they were (`m`) in the order of the list.
SELECT {columns}
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
  AND {scope}
  AND {filters}
  AND {page}
LIMIT $6;

-- name: newest_first
($4::timestamptz IS NULL OR (origin.call_time, born.memory_id) < ($4, $5::uuid))
ORDER BY origin.call_time DESC, born.memory_id DESC

-- name: oldest_first
($4::timestamptz IS NULL OR (origin.call_time, born.memory_id) > ($4, $5::uuid))
ORDER BY origin.call_time, born.memory_id
