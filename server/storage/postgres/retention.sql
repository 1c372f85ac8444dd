-- Finds expired memories and passages in all projects. The memories are then erased by erasing.sql, project
-- by project.

-- name: try_alone
-- Keeps other servers from purging until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtextextended('memoir retention', 65));

-- name: purge_passages
-- Deletes expired passages, and their messages unless they are evidence of a memory.
WITH expired AS MATERIALIZED (
    SELECT project_id, passage_id
    FROM passages
    WHERE expiration_date < :expired_before
    ORDER BY expiration_date
    LIMIT :limit
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
-- Memories of the project in which one expired first. Locked ones are left for the next time.
WITH project AS MATERIALIZED (
    SELECT project_id FROM memories WHERE expiration_date < :expired_before ORDER BY expiration_date LIMIT 1
)
SELECT m.project_id, m.memory_id
FROM memories AS m
JOIN project USING (project_id)
WHERE m.expiration_date < :expired_before
ORDER BY m.expiration_date, m.memory_id
LIMIT :limit
FOR UPDATE OF m SKIP LOCKED;

-- name: find_deleted
-- Deleted memories, of any project, whose last state had expired by the same day. Few are due at a
-- time, so each is looked up by its key; NOT EXISTS could be planned as a join of whole tables.
SELECT e.project_id, e.memory_id
FROM memory_events AS e
WHERE e.state ->> 'expiration_date' < :expired_before::date::text
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
LIMIT :limit;
