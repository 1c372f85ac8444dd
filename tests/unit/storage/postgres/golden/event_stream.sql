-- name: horizon
SELECT pg_snapshot_xmin(pg_current_snapshot())::text;

-- name: events
SELECT e.type, e.memory_id AS event_memory_id, e.version AS event_version, e.change_time,
       e.state IS NOT NULL AS has_state, e.erased_scope, m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id
FROM unnest($1::uuid[], $2::bigint[]) AS wanted (memory_id, version)
JOIN memory_events AS e
    ON e.project_id = $3 AND e.memory_id = wanted.memory_id
    AND e.version IN (wanted.version, wanted.version - 1)
JOIN calls AS c ON c.project_id = e.project_id AND c.call_id = e.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, coalesce(e.state, '{}')) AS m;
