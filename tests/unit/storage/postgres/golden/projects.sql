-- name: find_principal
SELECT key_id, org_id, project_id
FROM api_keys
WHERE digest = $1 AND revoke_time IS NULL;

-- name: get_project
SELECT * FROM projects WHERE project_id = $1 AND delete_time IS NULL;

-- name: list_projects
SELECT * FROM projects ORDER BY org_id, project_id;

-- name: create_project
INSERT INTO projects (
    project_id, org_id, custom_instructions, custom_categories, default_retention_days,
    create_time, update_time, keeps_passages
)
VALUES ($1, $2, $3, $4, $5,
    $6, $7, $8)
ON CONFLICT (project_id) DO NOTHING
RETURNING project_id;

-- name: update_project
UPDATE projects SET
    custom_instructions = $1, custom_categories = $2,
    default_retention_days = $3, update_time = $4,
    keeps_passages = $5
WHERE project_id = $6 AND update_time = $7 AND delete_time IS NULL
RETURNING project_id;

-- name: create_key
INSERT INTO api_keys (digest, key_id, org_id, project_id, label, create_time)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: list_keys
SELECT key_id, org_id, project_id, label, create_time, revoke_time
FROM api_keys
ORDER BY org_id, project_id NULLS FIRST, create_time;

-- name: revoke_key
UPDATE api_keys SET revoke_time = $1
WHERE key_id = $2 AND revoke_time IS NULL
RETURNING key_id;
