-- name: lock_migrations
SELECT pg_advisory_lock($1);

-- name: create_ledger
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    apply_time timestamptz NOT NULL DEFAULT now()
);

-- name: applied_migrations
SELECT version, checksum FROM schema_migrations;

-- name: record_migration
INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3);

-- name: let_serve
SELECT let_serve($1);

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
