-- name: servers
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'memoir-notifications';

-- name: state
SELECT (SELECT value FROM store_settings WHERE name = 'embedder') AS embedder,
       (SELECT value FROM store_settings WHERE name = 'reembedding') AS target;

-- name: exclude_others
LOCK TABLE reembedding IN SHARE ROW EXCLUSIVE MODE;

-- name: hold_target
SELECT value FROM store_settings WHERE name = 'reembedding' FOR SHARE;

-- name: clear
TRUNCATE reembedding;

-- name: list_texts
INSERT INTO reembedding (project_id, memory_id, version)
SELECT project_id, memory_id, 0 FROM memories
UNION ALL
SELECT project_id, memory_id, version FROM memory_events WHERE embedding IS NOT NULL
UNION ALL
SELECT project_id, passage_id, -1 FROM passages WHERE text <> '';

-- name: set_target
INSERT INTO store_settings (name, value)
VALUES ('reembedding', $1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: count
SELECT count(*) FROM reembedding;

-- name: texts
SELECT r.project_id, r.memory_id, r.version, coalesce(m.text, p.text, e.state ->> 'text', '') AS text,
       CASE
           WHEN p.passage_id IS NOT NULL THEN p.name
           WHEN m.memory_id IS NOT NULL THEN CASE WHEN NOT m.inferred THEN m.name END
           WHEN NOT (e.state ->> 'inferred')::boolean THEN e.state ->> 'name'
       END AS speaker
FROM (
    SELECT * FROM reembedding ORDER BY project_id, memory_id, version LIMIT $1
) AS r
LEFT JOIN memories AS m
    ON r.version = 0 AND m.project_id = r.project_id AND m.memory_id = r.memory_id
LEFT JOIN memory_events AS e
    ON r.version > 0 AND e.project_id = r.project_id AND e.memory_id = r.memory_id
    AND e.version = r.version
LEFT JOIN passages AS p
    ON r.version = -1 AND p.project_id = r.project_id AND p.passage_id = r.memory_id
ORDER BY r.project_id, r.memory_id, r.version;

-- name: replace
WITH given AS MATERIALIZED (
    SELECT *
    FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::halfvec[])
        AS given (project_id, memory_id, version, vector)
),
present AS (
    UPDATE memories AS m SET embedding = given.vector
    FROM given
    WHERE given.version = 0 AND m.project_id = given.project_id AND m.memory_id = given.memory_id
),
passage AS (
    UPDATE passages AS p SET embedding = given.vector
    FROM given
    WHERE given.version = -1 AND p.project_id = given.project_id AND p.passage_id = given.memory_id
),
past AS (
    UPDATE memory_events AS e SET embedding = given.vector
    FROM given
    WHERE given.version > 0 AND e.project_id = given.project_id
      AND e.memory_id = given.memory_id AND e.version = given.version
)
DELETE FROM reembedding AS r
USING given
WHERE r.project_id = given.project_id AND r.memory_id = given.memory_id
  AND r.version = given.version;

-- name: finish
WITH done AS (
    DELETE FROM store_settings WHERE name = 'reembedding' AND value = $1 RETURNING value
)
INSERT INTO store_settings (name, value)
SELECT 'embedder', value FROM done
ON CONFLICT (name) DO UPDATE SET value = excluded.value
RETURNING value;
