-- The indexes that only searches of very large scopes need. `{name}` stands for the name of one and
-- `{cast}` for the type of the vectors; both hold the length of the store's vectors and nothing else.

-- name: vector_index
-- How many memories there are, about, and whether vectors of this length have an index.
SELECT greatest(t.reltuples, 0)::float8 AS memories, coalesce(i.indisvalid, false) AS is_indexed
FROM pg_class AS t
LEFT JOIN pg_index AS i ON i.indrelid = t.oid AND i.indexrelid = to_regclass($1)
WHERE t.oid = 'memories'::regclass;

-- name: is_valid
SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1);

-- name: dimensions
SELECT (value ->> 'dimensions')::integer FROM store_settings WHERE name = 'embedder';

-- name: vector_indexes
SELECT c.relname
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = 'memories'::regclass AND c.relname ~ '^memories_embedding_[0-9]+$';

-- name: allow
-- Longer than any other statement may take, and in so much memory, for this session alone.
SELECT set_config('statement_timeout', '0', false),
       set_config('maintenance_work_mem', $1, false);

-- name: create_lexemes
-- A short pending list: searches read all of it.
CREATE INDEX CONCURRENTLY {name} ON memories USING gin (lexemes)
    WITH (gin_pending_list_limit = 256);

-- name: create
-- Nobody waits for it. The inner product, because a centred question has no unit length.
CREATE INDEX CONCURRENTLY {name} ON memories USING hnsw ((embedding{cast}) halfvec_ip_ops);

-- name: drop
DROP INDEX IF EXISTS {name};

-- name: progress
SELECT coalesce(sum(tuples_done), 0)::bigint AS done, coalesce(sum(tuples_total), 0)::bigint AS total
FROM pg_stat_progress_create_index
WHERE relid = 'memories'::regclass AND datname = current_database();
