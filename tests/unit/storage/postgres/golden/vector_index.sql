-- name: vector_index
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
SELECT set_config('statement_timeout', '0', false),
       set_config('maintenance_work_mem', $1, false);

-- name: progress
SELECT coalesce(sum(tuples_done), 0)::bigint AS done, coalesce(sum(tuples_total), 0)::bigint AS total
FROM pg_stat_progress_create_index
WHERE relid = 'memories'::regclass AND datname = current_database();
