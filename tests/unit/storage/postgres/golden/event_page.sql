-- name: page
SELECT horizon.transaction_id::text AS horizon, next.*, EXISTS (
    SELECT FROM memory_events AS late
    WHERE late.project_id = $1 AND late.transaction_id >= horizon.transaction_id
) AS is_held_back
FROM (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS transaction_id
) AS horizon
LEFT JOIN LATERAL (
    SELECT m.transaction_id::text AS transaction_id, m.position, m.ordinal, m.memory_id, m.version,
           m.user_id = $2 AND m.run_id = $3 AS matches, m.number = $4 AS reaches_limit
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
              > ($5::text::xid8, $6::bigint, $7::integer,
                 $8::uuid, $9::bigint)
          AND e.transaction_id < horizon.transaction_id
        ORDER BY e.transaction_id, e.position, e.ordinal, e.memory_id, e.version
        LIMIT $4
    ) AS m
    WHERE m.user_id = $2 AND m.run_id = $3 OR m.number = $4
    ORDER BY m.number
    LIMIT $10
) AS next ON true
ORDER BY next.transaction_id::xid8, next.position, next.ordinal, next.memory_id, next.version;
