-- name: statements
SELECT format('SELECT count(*) FROM %I.%I', n.nspname, c.relname) AS count,
       format(
           'SELECT id, payload::text AS payload FROM %I.%I ORDER BY payload ->> ''created_at'', id',
           n.nspname, c.relname
       ) AS memories
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'v', 'm') AND 2 = (
    SELECT count(*)
    FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND NOT a.attisdropped
      AND (a.attname, a.atttypid) IN (('id', 'uuid'::regtype), ('payload', 'jsonb'::regtype))
);
