-- name: try_alone
SELECT pg_try_advisory_xact_lock(hashtextextended('memoir retention', 65));

-- name: purge_passages
WITH expired AS MATERIALIZED (
    SELECT project_id, passage_id
    FROM passages
    WHERE expiration_date < $1
    ORDER BY expiration_date
    LIMIT $2
    FOR UPDATE SKIP LOCKED
),
deleted_passages AS (
    DELETE FROM passages AS p
    USING expired
    WHERE p.project_id = expired.project_id AND p.passage_id = expired.passage_id
    RETURNING p.project_id, p.call_id, p.message_id
),
deleted_messages AS (
    DELETE FROM messages AS m
    USING (SELECT DISTINCT * FROM deleted_passages) AS source
    WHERE m.project_id = source.project_id AND m.call_id = source.call_id
      AND m.message_id = source.message_id
      AND NOT EXISTS (
          SELECT FROM memory_events AS e
          WHERE e.project_id = m.project_id AND e.call_id = m.call_id
            AND e.state -> 'evidence'
                @> jsonb_build_array(jsonb_build_object('message_id', m.message_id))
      )
    RETURNING m.message_id
),
audited AS (
    INSERT INTO audit_events (project_id, org_id, correlation_id, action, target, after)
    SELECT project_id, coalesce((SELECT org_id FROM projects AS p WHERE p.project_id = d.project_id), ''),
           'retention', 'Retention', '{}', jsonb_build_object('passages', count(*))
    FROM deleted_passages AS d
    GROUP BY project_id
)
SELECT (SELECT count(*) FROM deleted_passages) AS passages,
       (SELECT count(*) FROM deleted_messages) AS messages;

-- name: lock_expired
WITH project AS MATERIALIZED (
    SELECT project_id FROM memories WHERE expiration_date < $1 ORDER BY expiration_date LIMIT 1
)
SELECT m.project_id, m.memory_id
FROM memories AS m
JOIN project USING (project_id)
WHERE m.expiration_date < $1
ORDER BY m.expiration_date, m.memory_id
LIMIT $2
FOR UPDATE OF m SKIP LOCKED;

-- name: find_deleted
SELECT e.project_id, e.memory_id
FROM memory_events AS e
WHERE e.state ->> 'expiration_date' < $1::date::text
  AND e.version = (
      SELECT max(state.version)
      FROM memory_events AS state
      WHERE state.project_id = e.project_id AND state.memory_id = e.memory_id
        AND state.state IS NOT NULL
  )
  AND (
      SELECT m.version
      FROM memories AS m
      WHERE m.project_id = e.project_id AND m.memory_id = e.memory_id
  ) IS NULL
ORDER BY e.state ->> 'expiration_date'
LIMIT $2;
