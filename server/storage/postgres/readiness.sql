-- Whether a server can work on this database.

-- name: has_ledger
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: schema_version
SELECT coalesce(max(version), 0) FROM schema_migrations;

-- name: embedder
-- While it changes, vectors of two are in the store: it is of neither.
SELECT (SELECT value FROM store_settings WHERE name = 'embedder') AS embedder,
       EXISTS (SELECT FROM store_settings WHERE name = 'reembedding') AS is_changing;

-- name: claim_embedder
-- The first embedder to come is the store's embedder. The update changes nothing; it makes the row
-- that is there already be returned.
INSERT INTO store_settings (name, value)
VALUES ('embedder', $1)
ON CONFLICT (name) DO UPDATE SET value = store_settings.value
RETURNING value;
