-- Operations: calls that are executed asynchronously. Times come from the database, so that the
-- clocks of the servers need not agree: from clock_timestamp(), because a statement may wait for a
-- lock.

-- block: operation_columns
project_id, operation_id, state, user_id, agent_id, app_id, run_id, output_format, correlation_id,
attempts, available_at, create_time, start_time, end_time, call_id, fault, error

-- name: submit
-- Stores many at once and returns them, except those whose `request_id` was used before: for these
-- the caller looks up the earlier operation, and refuses the request if there is none or its
-- payload differs.
INSERT INTO operations (
    project_id, operation_id, user_id, agent_id, app_id, run_id, scope_key, request_id,
    payload_digest, payload, output_format, correlation_id, traceparent, key_id, peer
)
SELECT input.project_id, input.operation_id, input.user_id, input.agent_id, input.app_id,
       input.run_id, input.scope_key, input.request_id, input.payload_digest, input.payload,
       input.output_format, input.correlation_id, input.traceparent, input.key_id, input.peer
FROM unnest(
    :project_ids::text[], :operation_ids::uuid[], :user_ids::text[], :agent_ids::text[],
    :app_ids::text[], :run_ids::text[], :scope_keys::bytea[],
    :request_ids::uuid[], :payload_digests::bytea[], :payloads::bytea[], :output_formats::text[],
    :correlation_ids::text[],
    :traceparents::text[], :key_ids::text[], :peers::text[]
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
RETURNING {operation_columns};

-- name: find_by_request
SELECT payload_digest, {operation_columns}
FROM operations
WHERE project_id = :project_id AND request_id = :request_id;

-- name: get
SELECT {operation_columns}
FROM operations
WHERE project_id = :project_id AND operation_id = :operation_id;

-- name: list
SELECT {operation_columns}
FROM operations
WHERE project_id = :project_id
  AND (:states::text[] IS NULL OR state = ANY (:states))
  AND (:before_id::uuid IS NULL OR operation_id < :before_id)
  AND (:user_id::text IS NULL OR user_id = :user_id)
  AND (:agent_id::text IS NULL OR agent_id = :agent_id)
  AND (:app_id::text IS NULL OR app_id = :app_id)
  AND (:run_id::text IS NULL OR run_id = :run_id)
ORDER BY operation_id DESC
LIMIT :limit;

-- name: cancel
-- A running operation loses its lease, without which it cannot commit.
UPDATE operations
SET state = 'CANCELLED', end_time = clock_timestamp(), lease = NULL, payload = NULL, error = :error
WHERE project_id = :project_id AND operation_id = :operation_id AND end_time IS NULL
RETURNING operation_id;

-- name: delete
DELETE FROM operations
WHERE project_id = :project_id AND operation_id = :operation_id AND end_time IS NOT NULL
RETURNING operation_id;

-- name: statistics
-- Reads the unfinished and failed operations alone, through their partial indexes.
SELECT pending.queued, pending.running, pending.oldest_seconds, failed.given_up
FROM (
    SELECT count(*) FILTER (WHERE state = 'QUEUED') AS queued,
           count(*) FILTER (WHERE state = 'RUNNING') AS running,
           coalesce(extract(epoch FROM now() - min(create_time)), 0)::float8 AS oldest_seconds
    FROM operations
    WHERE end_time IS NULL AND (:project_id::text IS NULL OR project_id = :project_id)
) AS pending,
(
    SELECT count(*) AS given_up
    FROM operations
    WHERE state = 'FAILED' AND (:project_id::text IS NULL OR project_id = :project_id)
) AS failed;

-- name: claim
-- Claims up to `limit` operations under a lease. Projects take turns: the first free operation of
-- each goes before the second of any, where what this server already runs for a project
-- (`busy_projects`, `busy_counts`) counts as turns taken. No project gets more than `share`.
--
-- Of each scope only the oldest operation is claimed, so that the calls of a scope take effect in
-- order, and an operation whose lease has expired is free again. Rows that another server is
-- claiming are skipped; therefore each project offers more candidates than can be claimed.
--
-- The oldest 256 of a project that are due are checked one by one. If there are more, they may all
-- belong to one scope, so the remaining scopes are found by stepping through the index from scope
-- to scope. The cost is one probe for each project with unfinished operations, and for each of
-- these at most 256 probes plus one for each of its scopes, whatever the length of the queue.
-- tests/integration/postgres/test_operation_plans.py holds that.
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
    LEFT JOIN unnest(:busy_projects::text[], :busy_counts::integer[]) AS busy (project_id, count)
        USING (project_id)
    WHERE coalesce(busy.count, 0) < :share::integer
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
        LIMIT 4 * :limit
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
    LIMIT :limit
),
free AS (
    SELECT project_id, operation_id
    FROM (
        SELECT locked.*, busy + row_number() OVER (
            PARTITION BY project_id ORDER BY position
        ) AS turn
        FROM locked
    ) AS counted
    WHERE turn <= :share::integer
)
UPDATE operations AS o
SET state = 'RUNNING', lease = :lease, available_at = clock_timestamp() + :duration::interval,
    attempts = o.attempts + 1, failures = o.failures + 1,
    server_id = :server_id,
    start_time = coalesce(o.start_time, clock_timestamp())
FROM free
WHERE o.project_id = free.project_id AND o.operation_id = free.operation_id
RETURNING o.project_id, o.operation_id, o.payload, o.correlation_id, o.create_time, o.attempts,
          o.failures, o.traceparent, o.key_id, o.peer, clock_timestamp() - o.create_time AS age;

-- name: renew
UPDATE operations SET available_at = clock_timestamp() + :duration::interval
WHERE project_id = :project_id AND operation_id = :operation_id AND lease = :lease
RETURNING operation_id;

-- name: release
UPDATE operations
SET state = 'QUEUED', lease = NULL, available_at = clock_timestamp() + :delay::interval,
    failures = failures - CASE WHEN :is_failure::boolean THEN 0 ELSE 1 END,
    fault = coalesce(:fault, fault)
WHERE project_id = :project_id AND operation_id = :operation_id AND lease = :lease
RETURNING operation_id;

-- name: succeed
UPDATE operations
SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
    fault = NULL, call_id = :call_id
WHERE project_id = :project_id AND operation_id = :operation_id AND lease = :lease
RETURNING operation_id;

-- name: fail
-- The payload stays, so that an operator can retry the call.
UPDATE operations
SET state = 'FAILED', end_time = clock_timestamp(), lease = NULL, fault = :fault, error = :error
WHERE project_id = :project_id AND operation_id = :operation_id AND lease = :lease
RETURNING operation_id;

-- name: revive
UPDATE operations
SET state = 'QUEUED', end_time = NULL, error = NULL, failures = 0,
    available_at = clock_timestamp()
WHERE project_id = :project_id AND operation_id = :operation_id AND state = 'FAILED'
  AND payload IS NOT NULL
RETURNING operation_id;

-- name: release_request_ids
-- The items of a batch have its time, so a batch is released as a whole.
UPDATE calls SET request_id_release_time = clock_timestamp()
WHERE (project_id, call_id) IN (
    SELECT project_id, call_id
    FROM calls
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL
      AND call_time < clock_timestamp() - :age::interval
    ORDER BY call_time
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING call_id;

-- name: prune
DELETE FROM operations
WHERE (project_id, operation_id) IN (
    SELECT project_id, operation_id
    FROM operations
    WHERE end_time < clock_timestamp() - :age::interval
    ORDER BY end_time
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING operation_id;
