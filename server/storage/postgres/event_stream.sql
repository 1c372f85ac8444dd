-- Events in the order of their transactions. `{scope}` stands for one fixed condition a scope field
-- that a stream names; values are always bound. Transaction ids travel as text: they are 64 bits
-- without a sign.

-- name: horizon
SELECT pg_snapshot_xmin(pg_current_snapshot())::text;

-- name: page
-- The places of the next $7 events of a scope, and beside each the horizon: every event below it is
-- visible. One row without an event where there is none. $8 events of the project are looked at, at
-- most: the last of so many is answered too, with `matches` false where it is not of the scope, as
-- the place to go on from. `has_more` says that there is something beyond the horizon.
-- The scope of a deletion is that of the state before it; an erasure says it itself.
SELECT horizon.transaction_id::text AS horizon, next.*, EXISTS (
    SELECT FROM memory_events AS late
    WHERE late.project_id = $1 AND late.transaction_id >= horizon.transaction_id
) AS has_more
FROM (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS transaction_id
) AS horizon
LEFT JOIN LATERAL (
    SELECT m.transaction_id::text AS transaction_id, m.position, m.ordinal, m.memory_id, m.version,
           {scope} AS matches, m.number = $8 AS is_last_looked_at
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
        WHERE e.project_id = $1
          AND (e.transaction_id, e.position, e.ordinal, e.memory_id, e.version)
              > ($2::text::xid8, $3::bigint, $4::integer, $5::uuid, $6::bigint)
          AND e.transaction_id < horizon.transaction_id
        ORDER BY e.transaction_id, e.position, e.ordinal, e.memory_id, e.version
        LIMIT $8
    ) AS m
    WHERE {scope} OR m.number = $8
    ORDER BY m.number
    LIMIT $7
) AS next ON true
ORDER BY next.transaction_id::xid8, next.position, next.ordinal, next.memory_id, next.version;

-- name: events
-- The named events and those before them.
SELECT e.type, e.memory_id AS event_memory_id, e.version AS event_version, e.change_time,
       e.state IS NOT NULL AS has_state, e.erased_scope, {columns}
FROM unnest($2::uuid[], $3::bigint[]) AS wanted (memory_id, version)
JOIN memory_events AS e
    ON e.project_id = $1 AND e.memory_id = wanted.memory_id
    AND e.version IN (wanted.version, wanted.version - 1)
JOIN calls AS c ON c.project_id = e.project_id AND c.call_id = e.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m;
