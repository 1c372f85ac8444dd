-- Reading the past: every event holds the whole state that it led to. The slots `scope` and
-- `filters` take conditions of filters.py, `page` one of the blocks below. Other blocks are in
-- memory_columns.sql.

-- name: events
-- Events from `after_version` on, each with its call and the state that it led to.
SELECT e.type, e.version AS event_version, e.change_time, e.state IS NOT NULL AS has_state,
       e.erased_scope, {memory_columns}
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m
WHERE e.project_id = :project_id AND e.memory_id = :memory_id AND e.version >= :after_version
ORDER BY e.version
LIMIT :limit;

-- name: state_at
SELECT {memory_columns}
FROM (
    SELECT e.state, e.call_id
    FROM memory_events AS e
    WHERE e.project_id = :project_id AND e.memory_id = :memory_id AND e.change_time <= :time
    ORDER BY e.version DESC
    LIMIT 1
) AS last
JOIN calls AS c ON c.project_id = :project_id AND c.call_id = last.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS m
WHERE last.state IS NOT NULL
  AND {visible};

-- name: version
-- One version, or, if `version` is null, the newest that is not a deletion. An event without an
-- embedding did not change the text, so the embedding is that of the last event which has one.
SELECT e.state IS NOT NULL AS has_state, newest.version AS last_version, embedded.embedding,
       {memory_columns}
FROM memory_events AS e
JOIN calls AS c USING (project_id, call_id)
CROSS JOIN LATERAL (
    SELECT max(version) AS version
    FROM memory_events
    WHERE project_id = :project_id AND memory_id = :memory_id
) AS newest
LEFT JOIN LATERAL (
    SELECT earlier.embedding
    FROM memory_events AS earlier
    WHERE earlier.project_id = :project_id AND earlier.memory_id = :memory_id
      AND earlier.version <= e.version AND earlier.embedding IS NOT NULL
    ORDER BY earlier.version DESC
    LIMIT 1
) AS embedded ON true
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m
WHERE e.project_id = :project_id AND e.memory_id = :memory_id
  AND CASE WHEN :version::bigint IS NULL THEN e.state IS NOT NULL ELSE e.version = :version END
ORDER BY e.version DESC
LIMIT 1;

-- name: list_at (scope, filters, page)
-- Every memory was added by a call of its own scope, at the time of that call: so the calls of the
-- scope (`origin`, to which the slot `scope` applies) lead to the memories as they were (`m`), in the
-- order of the list.
SELECT {memory_columns}
FROM calls AS origin
JOIN memory_events AS born
    ON born.project_id = origin.project_id AND born.call_id = origin.call_id AND born.type = 'ADD'
CROSS JOIN LATERAL (
    SELECT e.state, e.call_id
    FROM memory_events AS e
    WHERE e.project_id = :project_id AND e.memory_id = born.memory_id AND e.change_time <= :time
    ORDER BY e.version DESC
    LIMIT 1
) AS last
JOIN calls AS c ON c.project_id = :project_id AND c.call_id = last.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS m
WHERE origin.project_id = :project_id AND origin.call_time <= :time
  AND last.state IS NOT NULL
  AND {visible}
  AND {scope}
  AND {filters}
  AND {page}
LIMIT :limit;

-- block: newest_first
(:after_time::timestamptz IS NULL
 OR (origin.call_time, born.memory_id) < (:after_time, :after_id::uuid))
ORDER BY origin.call_time DESC, born.memory_id DESC

-- block: oldest_first
(:after_time::timestamptz IS NULL
 OR (origin.call_time, born.memory_id) > (:after_time, :after_id::uuid))
ORDER BY origin.call_time, born.memory_id
