-- Projects and API keys.

-- name: find_principal
SELECT key_id, org_id, project_id, role, user_id, agent_id, app_id, run_id
FROM api_keys
WHERE digest = :digest AND revoke_time IS NULL AND (expire_time IS NULL OR expire_time > now());

-- name: get_project
SELECT * FROM projects WHERE project_id = :project_id AND delete_time IS NULL;

-- name: list_projects
SELECT * FROM projects ORDER BY org_id, project_id;

-- name: create_project
WITH created AS (
    INSERT INTO projects (
        project_id, org_id, custom_instructions, custom_categories, default_retention_days,
        create_time, update_time, keeps_passages
    )
    VALUES (:project_id, :org_id, :custom_instructions, :custom_categories, :default_retention_days,
        :create_time, :update_time, :keeps_passages)
    ON CONFLICT (project_id) DO NOTHING
    RETURNING *
),
audited AS (
    {audit}
    SELECT project_id, org_id, {actor}, 'CreateProject',
           jsonb_build_object('project_id', project_id), '{}', to_jsonb(created)
    FROM created
)
SELECT project_id FROM created;

-- name: update_project
WITH updated AS (
    UPDATE projects SET
        custom_instructions = :custom_instructions, custom_categories = :custom_categories,
        default_retention_days = :default_retention_days, update_time = :update_time,
        keeps_passages = :keeps_passages
    WHERE project_id = :project_id AND update_time = :seen_time AND delete_time IS NULL
    RETURNING new.project_id, new.org_id, to_jsonb(old) AS before, to_jsonb(new) AS after
),
audited AS (
    {audit}
    SELECT project_id, org_id, {actor}, 'UpdateProject',
           jsonb_build_object('project_id', project_id), before, after
    FROM updated
)
SELECT project_id FROM updated;

-- name: set_quotas
WITH updated AS (
    UPDATE projects SET
        max_memories = :memories, max_bytes = :bytes, max_calls_per_second = :calls_per_second,
        max_calls = :calls, max_streams = :streams
    WHERE project_id = :project_id AND delete_time IS NULL
    RETURNING new.project_id, new.org_id, to_jsonb(old) AS before, to_jsonb(new) AS after
),
audited AS (
    {audit}
    SELECT project_id, org_id, {actor}, 'SetQuotas',
           jsonb_build_object('project_id', project_id), before, after
    FROM updated
)
SELECT project_id FROM updated;

-- name: storage_use
-- Counts only what has a quota: the subqueries are not run otherwise.
SELECT max_memories, max_bytes, max_calls_per_second, max_calls, max_streams,
       CASE WHEN max_memories > 0 THEN (
           SELECT count(*) FROM memories WHERE project_id = :project_id
       ) ELSE 0 END AS memories,
       CASE WHEN max_bytes > 0 THEN (
           SELECT coalesce(sum(octet_length(text)), 0)::bigint
           FROM memories
           WHERE project_id = :project_id
       ) + (
           SELECT coalesce(sum(octet_length(content)), 0)::bigint
           FROM messages
           WHERE project_id = :project_id
       ) ELSE 0 END AS bytes
FROM projects
WHERE project_id = :project_id;

-- block: audited_key
jsonb_build_object('key_id', key_id)

-- name: create_key
WITH created AS (
    INSERT INTO api_keys (
        digest, key_id, org_id, project_id, label, create_time, role, user_id, agent_id, app_id,
        run_id, expire_time
    )
    VALUES (:digest, :key_id, :org_id, :project_id, :label, :create_time, :role, :user_id,
        :agent_id, :app_id, :run_id, :expire_time)
    RETURNING *
)
{audit}
SELECT coalesce(project_id, ''), org_id, {actor}, 'CreateKey', {audited_key}, '{}',
       to_jsonb(created) - 'digest'
FROM created;

-- name: rotate_key
-- The old key keeps an earlier end that it had already.
WITH rotated AS (
    UPDATE api_keys SET expire_time = least(expire_time, :end_time)
    WHERE key_id = :old_key_id AND revoke_time IS NULL
    RETURNING new.key_id, to_jsonb(old) - 'digest' AS before, to_jsonb(new) - 'digest' AS after
),
created AS (
    INSERT INTO api_keys (
        digest, key_id, org_id, project_id, label, create_time, role, user_id, agent_id, app_id,
        run_id, expire_time
    )
    SELECT :digest, :key_id, :org_id, :project_id, :label, :create_time, :role, :user_id, :agent_id,
        :app_id, :run_id, :expire_time
    FROM rotated
    RETURNING *
),
audited AS (
    {audit}
    SELECT coalesce(created.project_id, ''), created.org_id, {actor}, 'RotateKey',
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
    UPDATE api_keys SET revoke_time = :revoke_time
    WHERE key_id = :key_id AND revoke_time IS NULL
    RETURNING new.key_id, new.org_id, new.project_id, to_jsonb(old) - 'digest' AS before,
              to_jsonb(new) - 'digest' AS after
),
audited AS (
    {audit}
    SELECT coalesce(project_id, ''), org_id, {actor}, 'RevokeKey', {audited_key}, before, after
    FROM revoked
)
SELECT key_id FROM revoked;

-- name: record_uses
-- Skips rows that another server is writing at the same moment: its time is as good.
WITH used AS MATERIALIZED (
    SELECT k.digest, u.use_time
    FROM unnest(:key_ids::text[], :use_times::timestamptz[]) AS u (key_id, use_time)
    JOIN api_keys AS k USING (key_id)
    FOR UPDATE OF k SKIP LOCKED
)
UPDATE api_keys AS k SET last_use_time = greatest(k.last_use_time, used.use_time)
FROM used
WHERE k.digest = used.digest;
