-- The outbox of the graph: one row for each memory whose subgraph must be updated, claimed under a
-- lease. Every statement locks rows in the same order, so that projectors and writers cannot deadlock.

-- name: claim
UPDATE graph_outbox AS o
SET available_at = now() + :duration, attempts = o.attempts + 1, lease = :lease
FROM (
    SELECT project_id, memory_id
    FROM graph_outbox
    WHERE available_at <= now() AND given_up_position IS DISTINCT FROM position
    ORDER BY available_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
) AS free
WHERE o.project_id = free.project_id AND o.memory_id = free.memory_id
RETURNING o.project_id, o.memory_id, o.position, o.attempts, o.correlation_id, o.traceparent;

-- name: renew
WITH held AS MATERIALIZED (
    SELECT o.project_id, o.memory_id
    FROM graph_outbox AS o
    JOIN unnest(:project_ids::text[], :memory_ids::uuid[]) AS given (project_id, memory_id)
        USING (project_id, memory_id)
    WHERE o.lease = :lease
    ORDER BY o.project_id, o.memory_id
    FOR UPDATE OF o
)
UPDATE graph_outbox AS o
SET available_at = now() + :duration
FROM held
WHERE o.project_id = held.project_id AND o.memory_id = held.memory_id;

-- name: settle
-- Removes what has been projected. A memory that changed since the claim stays and can be claimed
-- again. If a lease has been taken over, the projector may have overwritten a newer state: the
-- memory is enqueued again. Returns the number of these.
WITH done AS MATERIALIZED (
    SELECT *
    FROM unnest(:project_ids::text[], :memory_ids::uuid[], :positions::bigint[],
        :correlation_ids::text[], :traceparents::text[])
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
    SELECT project_id, memory_id, position, done_position FROM locked WHERE lease = :lease
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
    -- Uses the locked position. PostgreSQL checks the constraint of positions even for a row based on an
    -- older version, before it notices the newer one.
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
-- Ends the lease. With a `fault` it counts as a refusal; a memory that is refused `patience` times
-- is given up.
WITH held AS MATERIALIZED (
    SELECT o.project_id, o.memory_id, given.position
    FROM graph_outbox AS o
    JOIN unnest(:project_ids::text[], :memory_ids::uuid[], :positions::bigint[])
        AS given (project_id, memory_id, position)
        USING (project_id, memory_id)
    WHERE o.lease = :lease
    ORDER BY o.project_id, o.memory_id
    FOR UPDATE OF o
),
released AS (
    UPDATE graph_outbox AS o
    SET available_at = now() + :delay,
        lease = NULL,
        fault = :fault,
        refusals = CASE WHEN :fault::text IS NULL THEN o.refusals ELSE o.refusals + 1 END,
        given_up_position = CASE
            WHEN :fault::text IS NOT NULL AND o.refusals + 1 >= :patience THEN held.position
            ELSE o.given_up_position
        END
    FROM held
    WHERE o.project_id = held.project_id AND o.memory_id = held.memory_id
    RETURNING o.given_up_position = held.position AS given_up
)
SELECT count(*) FILTER (WHERE given_up) FROM released;

-- name: is_caught_up
-- Does not wait for memories that were given up.
SELECT NOT EXISTS (
    SELECT FROM graph_outbox
    WHERE project_id = :project_id AND first_position <= :position
      AND given_up_position IS DISTINCT FROM position
);

-- name: backlog
SELECT count(*) FILTER (WHERE given_up_position IS DISTINCT FROM position) AS pending,
       count(*) FILTER (WHERE given_up_position = position) AS given_up,
       coalesce(extract(epoch FROM now() - min(enqueue_time)
           FILTER (WHERE given_up_position IS DISTINCT FROM position)), 0)::float8 AS oldest_seconds
FROM graph_outbox
WHERE :project_id::text IS NULL OR project_id = :project_id;

-- name: unprocessed_changes
-- Changes of names that a projector stored but died before enqueuing the memories they affect.
SELECT project_id, space, change_id, keys FROM entity_alias_changes LIMIT 100;

-- name: begin_day
-- Enqueues the memories that expired since the last day that any server began. Only one server does
-- so each day; on a new database it covers all past days.
WITH last_run AS MATERIALIZED (
    SELECT (SELECT (value #>> '{}')::date FROM store_settings WHERE name = 'graph_day') AS day
),
begun AS (
    INSERT INTO store_settings (name, value) VALUES ('graph_day', to_jsonb(:day::date))
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
        WHERE (store_settings.value #>> '{}')::date < :day
    RETURNING name
),
expired AS MATERIALIZED (
    SELECT m.project_id, m.memory_id
    FROM last_run, memories AS m
    WHERE EXISTS (SELECT FROM begun)
      AND m.expiration_date < :day AND m.expiration_date >= coalesce(last_run.day, '-infinity')
),
new_position AS MATERIALIZED (
    SELECT nextval('change_position') AS position WHERE EXISTS (SELECT FROM expired)
),
enqueued AS (
    INSERT INTO graph_outbox (project_id, memory_id, position, first_position, correlation_id)
    SELECT expired.project_id, expired.memory_id, new_position.position, new_position.position,
           :correlation_id
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
SELECT given.project_id, given.memory_id, new_position.position, new_position.position, :correlation_id
FROM new_position, unnest(:project_ids::text[], :memory_ids::uuid[]) AS given (project_id, memory_id)
ORDER BY given.project_id, given.memory_id
ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position);

-- name: revive
WITH revived AS (
    UPDATE graph_outbox
    SET given_up_position = NULL, refusals = 0, available_at = now()
    WHERE given_up_position = position AND project_id = :project_id
    RETURNING 1
)
SELECT count(*) FROM revived;

-- name: outstanding
SELECT memory_id
FROM graph_outbox
WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[]);

-- name: projects
SELECT project_id FROM projects ORDER BY project_id;

-- name: memory_page
SELECT memory_id
FROM memories
WHERE project_id = :project_id AND memory_id > :after_id
ORDER BY memory_id
LIMIT :limit;
