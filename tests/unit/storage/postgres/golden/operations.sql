-- name: submit
INSERT INTO operations (
    project_id, operation_id, user_id, agent_id, app_id, run_id, scope_key, request_id,
    payload_digest, payload, output_format, correlation_id, traceparent, key_id, peer
)
SELECT input.project_id, input.operation_id, input.user_id, input.agent_id, input.app_id,
       input.run_id, input.scope_key, input.request_id, input.payload_digest, input.payload,
       input.output_format, input.correlation_id, input.traceparent, input.key_id, input.peer
FROM unnest(
    $1::text[], $2::uuid[], $3::text[], $4::text[],
    $5::text[], $6::text[], $7::bytea[],
    $8::uuid[], $9::bytea[], $10::bytea[], $11::text[],
    $12::text[],
    $13::text[], $14::text[], $15::text[]
) WITH ORDINALITY AS input (
    project_id, operation_id, user_id, agent_id, app_id, run_id, scope_key, request_id,
    payload_digest, payload, output_format, correlation_id, traceparent, key_id, peer, new_position
)
WHERE input.request_id IS NULL OR NOT EXISTS (
    SELECT FROM calls AS c
    WHERE c.project_id = input.project_id AND c.request_id = input.request_id AND c.item = 0
      AND c.request_id_release_time IS NULL AND c.payload_digest <> input.payload_digest
)
ORDER BY input.new_position
ON CONFLICT (project_id, request_id) WHERE request_id IS NOT NULL DO NOTHING
RETURNING project_id, operation_id, state, user_id, agent_id, app_id, run_id, output_format, correlation_id,
attempts, available_at, create_time, start_time, end_time, call_id, fault, error;

-- name: find_by_request
SELECT payload_digest, project_id, operation_id, state, user_id, agent_id, app_id, run_id, output_format, correlation_id,
attempts, available_at, create_time, start_time, end_time, call_id, fault, error
FROM operations
WHERE project_id = $1 AND request_id = $2;

-- name: get
SELECT project_id, operation_id, state, user_id, agent_id, app_id, run_id, output_format, correlation_id,
attempts, available_at, create_time, start_time, end_time, call_id, fault, error
FROM operations
WHERE project_id = $1 AND operation_id = $2;

-- name: list
SELECT project_id, operation_id, state, user_id, agent_id, app_id, run_id, output_format, correlation_id,
attempts, available_at, create_time, start_time, end_time, call_id, fault, error
FROM operations
WHERE project_id = $1
  AND ($2::text[] IS NULL OR state = ANY ($2))
  AND ($3::uuid IS NULL OR operation_id < $3)
  AND ($4::text IS NULL OR user_id = $4)
  AND ($5::text IS NULL OR agent_id = $5)
  AND ($6::text IS NULL OR app_id = $6)
  AND ($7::text IS NULL OR run_id = $7)
ORDER BY operation_id DESC
LIMIT $8;

-- name: cancel
UPDATE operations
SET state = 'CANCELLED', end_time = clock_timestamp(), lease = NULL, payload = NULL, error = $1
WHERE project_id = $2 AND operation_id = $3 AND end_time IS NULL
RETURNING operation_id;

-- name: delete
DELETE FROM operations
WHERE project_id = $1 AND operation_id = $2 AND end_time IS NOT NULL
RETURNING operation_id;

-- name: statistics
SELECT pending.queued, pending.running, pending.oldest_seconds, failed.given_up
FROM (
    SELECT count(*) FILTER (WHERE state = 'QUEUED') AS queued,
           count(*) FILTER (WHERE state = 'RUNNING') AS running,
           coalesce(extract(epoch FROM now() - min(create_time)), 0)::float8 AS oldest_seconds
    FROM operations
    WHERE end_time IS NULL AND ($1::text IS NULL OR project_id = $1)
) AS pending,
(
    SELECT count(*) AS given_up
    FROM operations
    WHERE state = 'FAILED' AND ($1::text IS NULL OR project_id = $1)
) AS failed;

-- name: claim
WITH RECURSIVE waiting AS (
    (
        SELECT project_id FROM operations WHERE end_time IS NULL ORDER BY project_id LIMIT 1
    )
    UNION ALL
    SELECT next.project_id
    FROM waiting, LATERAL (
        SELECT o.project_id
        FROM operations AS o
        WHERE o.end_time IS NULL AND o.project_id > waiting.project_id
        ORDER BY o.project_id
        LIMIT 1
    ) AS next
),
turns AS (
    SELECT waiting.project_id, coalesce(busy.count, 0) AS busy
    FROM waiting
    LEFT JOIN unnest($1::text[], $2::integer[]) AS busy (project_id, count)
        USING (project_id)
    WHERE coalesce(busy.count, 0) < $3::integer
),
candidates AS MATERIALIZED (
    SELECT turns.project_id, turns.busy, head.operation_id, head.position,
           turns.busy + row_number() OVER (
               PARTITION BY turns.project_id ORDER BY head.position
           ) AS turn
    FROM turns, LATERAL (
        WITH RECURSIVE oldest AS MATERIALIZED (
            SELECT o.operation_id, o.scope_key, o.position
            FROM operations AS o
            WHERE o.project_id = turns.project_id
              AND o.end_time IS NULL AND o.available_at <= clock_timestamp()
            ORDER BY o.position
            LIMIT 256
        ),
        scopes AS (
            (
                SELECT o.scope_key, o.operation_id, o.position, o.available_at
                FROM operations AS o
                WHERE o.project_id = turns.project_id AND o.end_time IS NULL
                ORDER BY o.scope_key, o.position
                LIMIT 1
            )
            UNION ALL
            SELECT next.*
            FROM scopes, LATERAL (
                SELECT o.scope_key, o.operation_id, o.position, o.available_at
                FROM operations AS o
                WHERE o.project_id = turns.project_id AND o.end_time IS NULL
                  AND o.scope_key > scopes.scope_key
                ORDER BY o.scope_key, o.position
                LIMIT 1
            ) AS next
        )
        SELECT oldest.operation_id, oldest.position
        FROM oldest
        WHERE oldest.operation_id = (
            SELECT o.operation_id
            FROM operations AS o
            WHERE o.project_id = turns.project_id AND o.end_time IS NULL
              AND o.scope_key = oldest.scope_key
            ORDER BY o.position
            LIMIT 1
        )
        UNION ALL
        SELECT scopes.operation_id, scopes.position
        FROM scopes
        WHERE (SELECT count(*) FROM oldest) = 256
          AND scopes.available_at <= clock_timestamp()
          AND scopes.position > (SELECT max(oldest.position) FROM oldest)
        LIMIT 4 * $4
    ) AS head
),
locked AS MATERIALIZED (
    SELECT in_turn.project_id, in_turn.busy, free.operation_id, free.position
    FROM (SELECT * FROM candidates ORDER BY turn, position) AS in_turn, LATERAL (
        SELECT o.operation_id, o.position
        FROM operations AS o
        WHERE o.project_id = in_turn.project_id AND o.operation_id = in_turn.operation_id
          AND o.end_time IS NULL AND o.available_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED
    ) AS free
    LIMIT $4
),
free AS (
    SELECT project_id, operation_id
    FROM (
        SELECT locked.*, busy + row_number() OVER (
            PARTITION BY project_id ORDER BY position
        ) AS turn
        FROM locked
    ) AS counted
    WHERE turn <= $3::integer
)
UPDATE operations AS o
SET state = 'RUNNING', lease = $5, available_at = clock_timestamp() + $6::interval,
    attempts = o.attempts + 1, failures = o.failures + 1,
    server_id = $7,
    start_time = coalesce(o.start_time, clock_timestamp())
FROM free
WHERE o.project_id = free.project_id AND o.operation_id = free.operation_id
RETURNING o.project_id, o.operation_id, o.payload, o.correlation_id, o.create_time, o.attempts,
          o.failures, o.traceparent, o.key_id, o.peer, clock_timestamp() - o.create_time AS age;

-- name: renew
UPDATE operations SET available_at = clock_timestamp() + $1::interval
WHERE project_id = $2 AND operation_id = $3 AND lease = $4
RETURNING operation_id;

-- name: release
UPDATE operations
SET state = 'QUEUED', lease = NULL, available_at = clock_timestamp() + $1::interval,
    failures = failures - CASE WHEN $2::boolean THEN 0 ELSE 1 END,
    fault = coalesce($3, fault)
WHERE project_id = $4 AND operation_id = $5 AND lease = $6
RETURNING operation_id;

-- name: succeed
UPDATE operations
SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
    fault = NULL, call_id = $1
WHERE project_id = $2 AND operation_id = $3 AND lease = $4
RETURNING operation_id;

-- name: fail
UPDATE operations
SET state = 'FAILED', end_time = clock_timestamp(), lease = NULL, fault = $1, error = $2
WHERE project_id = $3 AND operation_id = $4 AND lease = $5
RETURNING operation_id;

-- name: revive
UPDATE operations
SET state = 'QUEUED', end_time = NULL, error = NULL, failures = 0,
    available_at = clock_timestamp()
WHERE project_id = $1 AND operation_id = $2 AND state = 'FAILED'
  AND payload IS NOT NULL
RETURNING operation_id;

-- name: release_request_ids
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
