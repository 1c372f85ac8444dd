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
    payload_digest, payload, output_format, correlation_id, traceparent, place
)
WHERE input.request_id IS NULL OR NOT EXISTS (
    SELECT FROM calls AS c
    WHERE c.project_id = input.project_id AND c.request_id = input.request_id AND c.item = 0
      AND c.request_id_release_time IS NULL AND c.payload_digest <> input.payload_digest
)
ORDER BY input.place
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
SELECT count(*) FILTER (WHERE state = 'QUEUED') AS queued,
       count(*) FILTER (WHERE state = 'RUNNING') AS running,
       count(*) FILTER (WHERE state = 'FAILED') AS dead,
       coalesce(extract(epoch FROM now() - min(create_time)
           FILTER (WHERE end_time IS NULL)), 0)::float8 AS oldest_seconds
FROM operations
WHERE $1::text IS NULL OR project_id = $1;

-- name: claim
-- Of each scope the oldest alone, so that a scope's calls take effect in their order. A lease that
-- ran out is taken over.
WITH free AS MATERIALIZED (
    SELECT o.project_id, o.operation_id
    FROM operations AS o
    WHERE o.end_time IS NULL AND o.available_at <= clock_timestamp()
      AND NOT EXISTS (
          SELECT FROM operations AS older
          WHERE older.project_id = o.project_id AND older.scope_key = o.scope_key
            AND older.end_time IS NULL AND older.position < o.position
      )
    ORDER BY o.position
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE operations AS o
SET state = 'RUNNING', lease = $2, available_at = clock_timestamp() + $3::interval,
    attempts = o.attempts + 1, failures = o.failures + 1,
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
