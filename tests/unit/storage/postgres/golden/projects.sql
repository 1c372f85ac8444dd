-- name: find_principal
SELECT key_id, org_id, project_id, role, user_id, agent_id, app_id, run_id
FROM api_keys
WHERE digest = $1 AND revoke_time IS NULL AND (expire_time IS NULL OR expire_time > now());

-- name: get_project
SELECT * FROM projects WHERE project_id = $1 AND delete_time IS NULL;

-- name: list_projects
SELECT * FROM projects ORDER BY org_id, project_id;

-- name: create_project
WITH created AS (
    INSERT INTO projects (
        project_id, org_id, custom_instructions, custom_categories, default_retention_days,
        create_time, update_time, keeps_passages
    )
    VALUES ($1, $2, $3, $4, $5,
        $6, $7, $8)
    ON CONFLICT (project_id) DO NOTHING
    RETURNING *
),
audited AS (
    INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)
    SELECT project_id, org_id, $9::text, $10::text, $11::text, 'CreateProject',
           jsonb_build_object('project_id', project_id), '{}', to_jsonb(created)
    FROM created
)
SELECT project_id FROM created;

-- name: update_project
WITH updated AS (
    UPDATE projects SET
        custom_instructions = $1, custom_categories = $2,
        default_retention_days = $3, update_time = $4,
        keeps_passages = $5
    WHERE project_id = $6 AND update_time = $7 AND delete_time IS NULL
    RETURNING new.project_id, new.org_id, to_jsonb(old) AS before, to_jsonb(new) AS after
),
audited AS (
    INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)
    SELECT project_id, org_id, $8::text, $9::text, $10::text, 'UpdateProject',
           jsonb_build_object('project_id', project_id), before, after
    FROM updated
)
SELECT project_id FROM updated;

-- name: set_quotas
WITH updated AS (
    UPDATE projects SET
        max_memories = $1, max_bytes = $2, max_calls_per_second = $3,
        max_calls = $4, max_streams = $5
    WHERE project_id = $6 AND delete_time IS NULL
    RETURNING new.project_id, new.org_id, to_jsonb(old) AS before, to_jsonb(new) AS after
),
audited AS (
    INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)
    SELECT project_id, org_id, $7::text, $8::text, $9::text, 'SetQuotas',
           jsonb_build_object('project_id', project_id), before, after
    FROM updated
)
SELECT project_id FROM updated;

-- name: storage_use
SELECT max_memories, max_bytes, max_calls_per_second, max_calls, max_streams,
       CASE WHEN max_memories > 0 THEN (
           SELECT count(*) FROM memories WHERE project_id = $1
       ) ELSE 0 END AS memories,
       CASE WHEN max_bytes > 0 THEN (
           SELECT coalesce(sum(octet_length(text)), 0)::bigint
           FROM memories
           WHERE project_id = $1
       ) + (
           SELECT coalesce(sum(octet_length(content)), 0)::bigint
           FROM messages
           WHERE project_id = $1
       ) ELSE 0 END AS bytes
FROM projects
WHERE project_id = $1;

-- name: create_key
WITH created AS (
    INSERT INTO api_keys (
        digest, key_id, org_id, project_id, label, create_time, role, user_id, agent_id, app_id,
        run_id, expire_time
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
        $9, $10, $11, $12)
    RETURNING *
)
INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)
SELECT coalesce(project_id, ''), org_id, $13::text, $14::text, $15::text, 'CreateKey', jsonb_build_object('key_id', key_id), '{}',
       to_jsonb(created) - 'digest'
FROM created;

-- name: rotate_key
WITH rotated AS (
    UPDATE api_keys SET expire_time = least(expire_time, $1)
    WHERE key_id = $2 AND revoke_time IS NULL
    RETURNING new.key_id, to_jsonb(old) - 'digest' AS before, to_jsonb(new) - 'digest' AS after
),
created AS (
    INSERT INTO api_keys (
        digest, key_id, org_id, project_id, label, create_time, role, user_id, agent_id, app_id,
        run_id, expire_time
    )
    SELECT $3, $4, $5, $6, $7, $8, $9, $10, $11,
        $12, $13, $14
    FROM rotated
    RETURNING *
),
audited AS (
    INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)
    SELECT coalesce(created.project_id, ''), created.org_id, $15::text, $16::text, $17::text, 'RotateKey',
           jsonb_build_object('key_id', rotated.key_id, 'successor_id', created.key_id),
           rotated.before, rotated.after
    FROM rotated, created
)
SELECT key_id FROM created;

-- name: list_keys
SELECT *
FROM api_keys
ORDER BY org_id, project_id NULLS FIRST, create_time;

-- name: revoke_key
WITH revoked AS (
    UPDATE api_keys SET revoke_time = $1
    WHERE key_id = $2 AND revoke_time IS NULL
    RETURNING new.key_id, new.org_id, new.project_id, to_jsonb(old) - 'digest' AS before,
              to_jsonb(new) - 'digest' AS after
),
audited AS (
    INSERT INTO audit_events (
    project_id, org_id, key_id, peer, correlation_id, action, target, before, after
)
    SELECT coalesce(project_id, ''), org_id, $3::text, $4::text, $5::text, 'RevokeKey', jsonb_build_object('key_id', key_id), before, after
    FROM revoked
)
SELECT key_id FROM revoked;

-- name: record_uses
WITH used AS MATERIALIZED (
    SELECT k.digest, u.use_time
    FROM unnest($1::text[], $2::timestamptz[]) AS u (key_id, use_time)
    JOIN api_keys AS k USING (key_id)
    FOR UPDATE OF k SKIP LOCKED
)
UPDATE api_keys AS k SET last_use_time = greatest(k.last_use_time, used.use_time)
FROM used
WHERE k.digest = used.digest;
