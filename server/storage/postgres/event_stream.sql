-- Events in the order of their transactions. The slot `scope` takes a condition of filters.py.
-- Transaction ids are passed as text, because they are unsigned 64-bit numbers.

-- name: horizon
SELECT pg_snapshot_xmin(pg_current_snapshot())::text;

-- name: page (scope)
-- The positions of the next `limit` events of a scope, each with the horizon, below which every
-- event is visible; one row without an event if there are none. It reads at most `read_limit` events
-- of the project. The last of those is returned even if it is of another scope, with `matches`
-- false, as the position from which to continue. `is_held_back` says that there are events beyond the
-- horizon. A deletion has the scope of the state before it; an erasure stores its scope.
SELECT horizon.transaction_id::text AS horizon, next.*, EXISTS (
    SELECT FROM memory_events AS late
    WHERE late.project_id = :project_id AND late.transaction_id >= horizon.transaction_id
) AS is_held_back
FROM (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS transaction_id
) AS horizon
LEFT JOIN LATERAL (
    SELECT m.transaction_id::text AS transaction_id, m.position, m.ordinal, m.memory_id, m.version,
           {scope} AS matches, m.number = :read_limit AS reaches_limit
    FROM (
        SELECT e.transaction_id, e.position, e.ordinal, e.memory_id, e.version,
               known.state ->> 'user_id' AS user_id, known.state ->> 'agent_id' AS agent_id,
               known.state ->> 'app_id' AS app_id, known.state ->> 'run_id' AS run_id,
               row_number() OVER (
                   ORDER BY e.transaction_id, e.position, e.ordinal, e.memory_id, e.version
               ) AS number
        FROM memory_events AS e
        LEFT JOIN memory_events AS before
            ON before.project_id = e.project_id AND before.memory_id = e.memory_id
            AND before.version = e.version - 1
        CROSS JOIN LATERAL (
            SELECT coalesce(e.state, before.state, e.erased_scope) AS state
        ) AS known
        WHERE e.project_id = :project_id
          AND (e.transaction_id, e.position, e.ordinal, e.memory_id, e.version)
              > (:after_transaction::text::xid8, :after_position::bigint, :after_ordinal::integer,
                 :after_memory::uuid, :after_version::bigint)
          AND e.transaction_id < horizon.transaction_id
        ORDER BY e.transaction_id, e.position, e.ordinal, e.memory_id, e.version
        LIMIT :read_limit
    ) AS m
    WHERE {scope} OR m.number = :read_limit
    ORDER BY m.number
    LIMIT :limit
) AS next ON true
ORDER BY next.transaction_id::xid8, next.position, next.ordinal, next.memory_id, next.version;

-- name: events
-- The given events and, for each, the one before it.
SELECT e.type, e.memory_id AS event_memory_id, e.version AS event_version, e.change_time,
       e.state IS NOT NULL AS has_state, e.erased_scope, {memory_columns}
FROM unnest(:memory_ids::uuid[], :versions::bigint[]) AS wanted (memory_id, version)
JOIN memory_events AS e
    ON e.project_id = :project_id AND e.memory_id = wanted.memory_id
    AND e.version IN (wanted.version, wanted.version - 1)
JOIN calls AS c ON c.project_id = e.project_id AND c.call_id = e.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m;
