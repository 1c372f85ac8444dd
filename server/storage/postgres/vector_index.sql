-- The indexes that only searches of very large scopes need. The slot `name` takes the name of an
-- index and `cast` the type of the vectors; both contain the length of the store's vectors and
-- nothing else.

-- name: vector_index
-- The estimated number of memories, and whether vectors of this length have an index.
SELECT greatest(t.reltuples, 0)::float8 AS memories, coalesce(i.indisvalid, false) AS is_indexed
FROM pg_class AS t
LEFT JOIN pg_index AS i ON i.indrelid = t.oid AND i.indexrelid = to_regclass(:index_name)
WHERE t.oid = 'memories'::regclass;

-- name: is_valid
SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index_name);

-- name: dimensions
SELECT (value ->> 'dimensions')::integer FROM store_settings WHERE name = 'embedder';

-- name: vector_indexes
SELECT c.relname
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = 'memories'::regclass AND c.relname ~ '^memories_embedding_[0-9]+$';

-- name: allow
-- Lifts the time limit and sets the memory of a build, for this session only.
SELECT set_config('statement_timeout', '0', false),
       set_config('maintenance_work_mem', :memory, false);

-- name: create_lexemes (name)
-- A short pending list, because searches read all of it.
CREATE INDEX CONCURRENTLY {name} ON memories USING gin (lexemes)
    WITH (gin_pending_list_limit = 256);

-- name: create (name, cast)
-- Concurrently, so that no call waits. Inner product, because a centred question has no unit length.
CREATE INDEX CONCURRENTLY {name} ON memories USING hnsw ((embedding{cast}) halfvec_ip_ops);

-- name: drop (name)
DROP INDEX IF EXISTS {name};

-- name: progress
SELECT coalesce(sum(tuples_done), 0)::bigint AS done, coalesce(sum(tuples_total), 0)::bigint AS total
FROM pg_stat_progress_create_index
WHERE relid = 'memories'::regclass AND datname = current_database();
