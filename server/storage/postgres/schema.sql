-- The ledger of migrations, and the rights of the service role.

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
