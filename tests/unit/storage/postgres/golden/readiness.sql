-- name: has_ledger
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: schema_version
SELECT coalesce(max(version), 0) FROM schema_migrations;

-- name: embedder
SELECT (SELECT value FROM store_settings WHERE name = 'embedder') AS embedder,
       EXISTS (SELECT FROM store_settings WHERE name = 'reembedding') AS is_changing;

-- name: claim_embedder
INSERT INTO store_settings (name, value)
VALUES ('embedder', $1)
ON CONFLICT (name) DO UPDATE SET value = store_settings.value
RETURNING value;
