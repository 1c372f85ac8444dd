-- name: claim
UPDATE graph_outbox AS o
SET available_at = now() + $1, attempts = o.attempts + 1, lease = $2
FROM (
    SELECT project_id, memory_id
    FROM graph_outbox
    WHERE available_at <= now() AND given_up_position IS DISTINCT FROM position
    ORDER BY available_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
) AS free
WHERE o.project_id = free.project_id AND o.memory_id = free.memory_id
RETURNING o.project_id, o.memory_id, o.position, o.attempts, o.correlation_id, o.traceparent;

-- name: renew
WITH held AS MATERIALIZED (
    SELECT o.project_id, o.memory_id
    FROM graph_outbox AS o
    JOIN unnest($1::text[], $2::uuid[]) AS given (project_id, memory_id)
        USING (project_id, memory_id)
    WHERE o.lease = $3
    ORDER BY o.project_id, o.memory_id
    FOR UPDATE OF o
)
UPDATE graph_outbox AS o
SET available_at = now() + $4
FROM held
WHERE o.project_id = held.project_id AND o.memory_id = held.memory_id;

-- name: settle
WITH done AS MATERIALIZED (
    SELECT *
    FROM unnest($1::text[], $2::uuid[], $3::bigint[],
        $4::text[], $5::text[])
        AS done (project_id, memory_id, position, correlation_id, traceparent)
),
locked AS MATERIALIZED (
    SELECT o.project_id, o.memory_id, o.position, o.lease, done.position AS done_position
    FROM graph_outbox AS o
    JOIN done USING (project_id, memory_id)
    ORDER BY o.project_id, o.memory_id
    FOR UPDATE OF o
),
claimed AS MATERIALIZED (
    SELECT project_id, memory_id, position, done_position FROM locked WHERE lease = $6
),
lost_claims AS MATERIALIZED (
    SELECT done.project_id, done.memory_id, done.correlation_id, done.traceparent
    FROM done LEFT JOIN claimed USING (project_id, memory_id)
    WHERE claimed.memory_id IS NULL
),
new_position AS MATERIALIZED (
    SELECT nextval('change_position') AS position WHERE EXISTS (SELECT FROM lost_claims)
),
requeued AS (
    INSERT INTO graph_outbox (
        project_id, memory_id, position, first_position, correlation_id, traceparent
    )
    SELECT lost_claims.project_id, lost_claims.memory_id, new_position.position, new_position.position,
           lost_claims.correlation_id, lost_claims.traceparent
    FROM lost_claims, new_position
    ORDER BY lost_claims.project_id, lost_claims.memory_id
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        position = greatest(graph_outbox.position + 1, excluded.position)
    RETURNING project_id, memory_id
),
kept AS (
    UPDATE graph_outbox AS o
    SET position = claimed.position, available_at = now(), attempts = 0, refusals = 0, fault = NULL, lease = NULL,
        first_position = claimed.done_position + 1
    FROM claimed
    WHERE o.project_id = claimed.project_id AND o.memory_id = claimed.memory_id
      AND claimed.position > claimed.done_position
),
removed AS (
    DELETE FROM graph_outbox AS o
    USING claimed
    WHERE o.project_id = claimed.project_id AND o.memory_id = claimed.memory_id
      AND claimed.position <= claimed.done_position
)
SELECT count(*) FROM requeued;

-- name: release
WITH held AS MATERIALIZED (
    SELECT o.project_id, o.memory_id, given.position
    FROM graph_outbox AS o
    JOIN unnest($1::text[], $2::uuid[], $3::bigint[])
        AS given (project_id, memory_id, position)
        USING (project_id, memory_id)
    WHERE o.lease = $4
    ORDER BY o.project_id, o.memory_id
    FOR UPDATE OF o
),
released AS (
    UPDATE graph_outbox AS o
    SET available_at = now() + $5,
        lease = NULL,
        fault = $6,
        refusals = CASE WHEN $6::text IS NULL THEN o.refusals ELSE o.refusals + 1 END,
        given_up_position = CASE
            WHEN $6::text IS NOT NULL AND o.refusals + 1 >= $7 THEN held.position
            ELSE o.given_up_position
        END
    FROM held
    WHERE o.project_id = held.project_id AND o.memory_id = held.memory_id
    RETURNING o.given_up_position = held.position AS given_up
)
SELECT count(*) FILTER (WHERE given_up) FROM released;

-- name: is_caught_up
SELECT NOT EXISTS (
    SELECT FROM graph_outbox
    WHERE project_id = $1 AND first_position <= $2
      AND given_up_position IS DISTINCT FROM position
);

-- name: backlog
SELECT count(*) FILTER (WHERE given_up_position IS DISTINCT FROM position) AS pending,
       count(*) FILTER (WHERE given_up_position = position) AS given_up,
       coalesce(extract(epoch FROM now() - min(enqueue_time)
           FILTER (WHERE given_up_position IS DISTINCT FROM position)), 0)::float8 AS oldest_seconds
FROM graph_outbox
WHERE $1::text IS NULL OR project_id = $1;

-- name: unprocessed_changes
SELECT project_id, space, change_id, keys FROM entity_alias_changes LIMIT 100;

-- name: begin_day
WITH last_run AS MATERIALIZED (
    SELECT (SELECT (value #>> '{}')::date FROM store_settings WHERE name = 'graph_day') AS day
),
begun AS (
    INSERT INTO store_settings (name, value) VALUES ('graph_day', to_jsonb($1::date))
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
        WHERE (store_settings.value #>> '{}')::date < $1
    RETURNING name
),
expired AS MATERIALIZED (
    SELECT m.project_id, m.memory_id
    FROM last_run, memories AS m
    WHERE EXISTS (SELECT FROM begun)
      AND m.expiration_date < $1 AND m.expiration_date >= coalesce(last_run.day, '-infinity')
),
new_position AS MATERIALIZED (
    SELECT nextval('change_position') AS position WHERE EXISTS (SELECT FROM expired)
),
enqueued AS (
    INSERT INTO graph_outbox (project_id, memory_id, position, first_position, correlation_id)
    SELECT expired.project_id, expired.memory_id, new_position.position, new_position.position,
           $2
    FROM expired, new_position
    ORDER BY expired.project_id, expired.memory_id
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
        position = greatest(graph_outbox.position + 1, excluded.position)
    RETURNING 1
)
SELECT count(*) FROM enqueued;

-- name: enqueue_given
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position)
INSERT INTO graph_outbox (project_id, memory_id, position, first_position, correlation_id)
SELECT given.project_id, given.memory_id, new_position.position, new_position.position, $1
FROM new_position, unnest($2::text[], $3::uuid[]) AS given (project_id, memory_id)
ORDER BY given.project_id, given.memory_id
ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position);

-- name: revive
WITH revived AS (
    UPDATE graph_outbox
    SET given_up_position = NULL, refusals = 0, available_at = now()
    WHERE given_up_position = position AND project_id = $1
    RETURNING 1
)
SELECT count(*) FROM revived;

-- name: outstanding
SELECT memory_id
FROM graph_outbox
WHERE project_id = $1 AND memory_id = ANY ($2::uuid[]);

-- name: projects
SELECT project_id FROM projects ORDER BY project_id;

-- name: memory_page
SELECT memory_id
FROM memories
WHERE project_id = $1 AND memory_id > $2
ORDER BY memory_id
LIMIT $3;
