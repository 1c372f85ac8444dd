-- Asynchronous calls. Time is the database's, so that the servers' clocks need not agree. It is read
-- as the statement runs, because it may have waited for another one.

-- name: columns
project_id, operation_id, state, user_id, agent_id, app_id, run_id, output_format, correlation_id,
attempts, available_at, create_time, start_time, end_time, call_id, fault, error

-- name: submit
-- Many at once. Left out is what has a request id that came before: with the same payload the
-- caller finds the operation of then, with another one or none it is refused.
INSERT INTO operations (
    project_id, operation_id, user_id, agent_id, app_id, run_id, scope_key, request_id,
    payload_digest, payload, output_format, correlation_id, traceparent
)
SELECT input.project_id, input.operation_id, input.user_id, input.agent_id, input.app_id,
       input.run_id, input.scope_key, input.request_id, input.payload_digest, input.payload,
       input.output_format, input.correlation_id, input.traceparent
FROM unnest(
    $1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[],
    $8::uuid[], $9::bytea[], $10::bytea[], $11::text[], $12::text[],
    $13::text[]
) WITH ORDINALITY AS input (
    project_id, operation_id, user_id, agent_id, app_id, run_id, scope_key, request_id,
    payload_digest, payload, output_format, correlation_id, traceparent, new_position
)
WHERE input.request_id IS NULL OR NOT EXISTS (
    SELECT FROM calls AS c
    WHERE c.project_id = input.project_id AND c.request_id = input.request_id AND c.item = 0
      AND c.request_id_release_time IS NULL AND c.payload_digest <> input.payload_digest
)
ORDER BY input.new_position
ON CONFLICT (project_id, request_id) WHERE request_id IS NOT NULL DO NOTHING
RETURNING {columns};

-- name: find_by_request
SELECT payload_digest, {columns}
FROM operations
WHERE project_id = $1 AND request_id = $2;

-- name: get
SELECT {columns} FROM operations WHERE project_id = $1 AND operation_id = $2;

-- name: list
SELECT {columns}
FROM operations
WHERE project_id = $1
  AND ($2::text[] IS NULL OR state = ANY ($2))
  AND ($3::uuid IS NULL OR operation_id < $3)
ORDER BY operation_id DESC
LIMIT $4;

-- name: cancel
-- One that runs loses its lease, without which its effect cannot be committed.
UPDATE operations
SET state = 'CANCELLED', end_time = clock_timestamp(), lease = NULL, payload = NULL, error = $3
WHERE project_id = $1 AND operation_id = $2 AND end_time IS NULL
RETURNING operation_id;

-- name: delete
DELETE FROM operations
WHERE project_id = $1 AND operation_id = $2 AND end_time IS NOT NULL
RETURNING operation_id;

-- name: statistics
-- Most are done, and are not looked at.
SELECT pending.queued, pending.running, pending.oldest_seconds, given_up.dead
FROM (
    SELECT count(*) FILTER (WHERE state = 'QUEUED') AS queued,
           count(*) FILTER (WHERE state = 'RUNNING') AS running,
           coalesce(extract(epoch FROM now() - min(create_time)), 0)::float8 AS oldest_seconds
    FROM operations
    WHERE end_time IS NULL AND ($1::text IS NULL OR project_id = $1)
) AS pending,
(
    SELECT count(*) AS dead
    FROM operations
    WHERE state = 'FAILED' AND ($1::text IS NULL OR project_id = $1)
) AS given_up;

-- name: claim
-- Of each scope the oldest alone, so that a scope's calls take effect in their order. A lease that
-- ran out is taken over. The oldest 256 of all are looked at one by one; where more are waiting, which
-- may all be of one scope, the others are found scope by scope, each by one step along the index.
WITH RECURSIVE oldest AS MATERIALIZED (
    SELECT project_id, operation_id, scope_key, position
    FROM operations
    WHERE end_time IS NULL AND available_at <= clock_timestamp()
    ORDER BY position
    LIMIT 256
),
scopes AS (
    (
        SELECT project_id, scope_key, operation_id, position, available_at
        FROM operations
        WHERE end_time IS NULL
        ORDER BY project_id, scope_key, position
        LIMIT 1
    )
    UNION ALL
    SELECT next.*
    FROM scopes, LATERAL (
        SELECT o.project_id, o.scope_key, o.operation_id, o.position, o.available_at
        FROM operations AS o
        WHERE o.end_time IS NULL
          AND (o.project_id, o.scope_key) > (scopes.project_id, scopes.scope_key)
        ORDER BY o.project_id, o.scope_key, o.position
        LIMIT 1
    ) AS next
),
heads AS (
    SELECT project_id, operation_id
    FROM oldest
    WHERE operation_id = (
        SELECT o.operation_id
        FROM operations AS o
        WHERE o.end_time IS NULL
          AND o.project_id = oldest.project_id AND o.scope_key = oldest.scope_key
        ORDER BY o.position
        LIMIT 1
    )
    UNION ALL
    SELECT project_id, operation_id
    FROM scopes
    WHERE (SELECT count(*) FROM oldest) = 256
      AND available_at <= clock_timestamp() AND position > (SELECT max(position) FROM oldest)
),
free AS MATERIALIZED (
    SELECT locked.project_id, locked.operation_id
    FROM heads, LATERAL (
        SELECT o.project_id, o.operation_id
        FROM operations AS o
        WHERE o.project_id = heads.project_id AND o.operation_id = heads.operation_id
          AND o.end_time IS NULL AND o.available_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED
    ) AS locked
    LIMIT $1
)
UPDATE operations AS o
SET state = 'RUNNING', lease = $2, available_at = clock_timestamp() + $3::interval,
    attempts = o.attempts + 1, failures = o.failures + 1,
    server_id = $4,
    start_time = coalesce(o.start_time, clock_timestamp())
FROM free
WHERE o.project_id = free.project_id AND o.operation_id = free.operation_id
RETURNING o.project_id, o.operation_id, o.payload, o.correlation_id, o.create_time, o.attempts,
          o.failures, o.traceparent, clock_timestamp() - o.create_time AS age;

-- name: renew
UPDATE operations SET available_at = clock_timestamp() + $4::interval
WHERE project_id = $1 AND operation_id = $2 AND lease = $3
RETURNING operation_id;

-- name: give_back
UPDATE operations
SET state = 'QUEUED', lease = NULL, available_at = clock_timestamp() + $4::interval,
    failures = failures - CASE WHEN $5::boolean THEN 0 ELSE 1 END, fault = coalesce($6, fault)
WHERE project_id = $1 AND operation_id = $2 AND lease = $3
RETURNING operation_id;

-- name: succeed
UPDATE operations
SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
    fault = NULL, call_id = $4
WHERE project_id = $1 AND operation_id = $2 AND lease = $3
RETURNING operation_id;

-- name: fail
-- The payload stays: the call can be tried again by hand.
UPDATE operations
SET state = 'FAILED', end_time = clock_timestamp(), lease = NULL, fault = $4, error = $5
WHERE project_id = $1 AND operation_id = $2 AND lease = $3
RETURNING operation_id;

-- name: revive
UPDATE operations
SET state = 'QUEUED', end_time = NULL, error = NULL, failures = 0,
    available_at = clock_timestamp()
WHERE project_id = $1 AND operation_id = $2 AND state = 'FAILED' AND payload IS NOT NULL
RETURNING operation_id;

-- name: release_request_ids
-- A batch is released as a whole: its items have its time.
UPDATE calls SET request_id_release_time = clock_timestamp()
WHERE (project_id, call_id) IN (
    SELECT project_id, call_id
    FROM calls
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL
      AND call_time < clock_timestamp() - $1::interval
    ORDER BY call_time
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING call_id;

-- name: prune
DELETE FROM operations
WHERE (project_id, operation_id) IN (
    SELECT project_id, operation_id
    FROM operations
    WHERE end_time < clock_timestamp() - $1::interval
    ORDER BY end_time
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING operation_id;
