-- name: lock_matching
SELECT m.memory_id
FROM memories AS m
WHERE m.project_id = $1 AND m.user_id = $2 AND m.run_id = $3 AND ((m.metadata <> '{}' AND m.metadata @> $4::jsonb) AND ($5::text = ANY (m.categories) OR strpos(casefold(m.text COLLATE "pg_unicode_fast"), casefold($6::text COLLATE "pg_unicode_fast")) > 0) AND (((m.create_time >= $7::timestamptz)) IS NOT TRUE))
ORDER BY m.memory_id
FOR UPDATE;
