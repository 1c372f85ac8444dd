-- Projects and API keys.

-- name: find_principal
SELECT key_id, org_id, project_id
FROM api_keys
WHERE digest = :digest AND revoke_time IS NULL;

-- name: get_project
SELECT * FROM projects WHERE project_id = :project_id AND delete_time IS NULL;

-- name: list_projects
SELECT * FROM projects ORDER BY org_id, project_id;

-- name: create_project
INSERT INTO projects (
    project_id, org_id, custom_instructions, custom_categories, default_retention_days,
    create_time, update_time, keeps_passages
)
VALUES (:project_id, :org_id, :custom_instructions, :custom_categories, :default_retention_days,
    :create_time, :update_time, :keeps_passages)
ON CONFLICT (project_id) DO NOTHING
RETURNING project_id;

-- name: update_project
UPDATE projects SET
    custom_instructions = :custom_instructions, custom_categories = :custom_categories,
    default_retention_days = :default_retention_days, update_time = :update_time,
    keeps_passages = :keeps_passages
WHERE project_id = :project_id AND update_time = :seen_time AND delete_time IS NULL
RETURNING project_id;

-- name: create_key
INSERT INTO api_keys (digest, key_id, org_id, project_id, label, create_time)
VALUES (:digest, :key_id, :org_id, :project_id, :label, :create_time);

-- name: list_keys
SELECT key_id, org_id, project_id, label, create_time, revoke_time
FROM api_keys
ORDER BY org_id, project_id NULLS FIRST, create_time;

-- name: revoke_key
UPDATE api_keys SET revoke_time = :revoke_time
WHERE key_id = :key_id AND revoke_time IS NULL
RETURNING key_id;
