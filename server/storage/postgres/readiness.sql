-- The ledger of migrations, and whether a server can work on this database.

-- name: lock_migrations
-- Servers that start together migrate one after another; the lock ends with the session.
SELECT pg_advisory_lock(:number);

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
INSERT INTO schema_migrations (version, name, checksum) VALUES (:version, :name, :checksum);

-- name: let_serve
SELECT let_serve(:service_role);

-- name: has_ledger
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: schema_version
SELECT coalesce(max(version), 0) FROM schema_migrations;

-- name: embedder
-- While the embedder is being changed, the store holds vectors of two embedders.
SELECT (SELECT value FROM store_settings WHERE name = 'embedder') AS embedder,
       EXISTS (SELECT FROM store_settings WHERE name = 'reembedding') AS is_changing;

-- name: claim_embedder
-- The first server to start decides the store's embedder. The update changes nothing: it makes the
-- statement return an existing row.
INSERT INTO store_settings (name, value)
VALUES ('embedder', :embedder)
ON CONFLICT (name) DO UPDATE SET value = store_settings.value
RETURNING value;
