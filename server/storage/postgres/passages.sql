-- Reading passages. `{origin}` stands for one fixed condition a scope field that a query names, `{time}`
-- for a parameter, `{columns}` for a block of this file; values are always bound.

-- name: present
-- With the columns of `memories`: the messages around a passage lend to it, as they do to a message
-- that was stored as it is.
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, ordinal, text_length, lexemes,
       embedding, role, name
FROM passages
WHERE delete_time IS NULL

-- name: past
-- Those of the same calls as they were at that instant.
SELECT p.project_id, p.passage_id AS memory_id, p.user_id, p.agent_id, p.app_id, p.run_id,
       p.scope_key, p.text, false AS inferred, false AS immutable, p.metadata,
       '{}'::text[] AS categories, p.event_time, p.expiration_date, p.create_time,
       p.create_time AS update_time, p.ordinal, p.text_length, p.lexemes, p.embedding, p.role, p.name
FROM calls AS origin
JOIN passages AS p ON p.project_id = origin.project_id AND p.call_id = origin.call_id
WHERE origin.project_id = $1 AND origin.call_time <= {time} AND p.store_time <= {time}
  AND (p.delete_time IS NULL OR p.delete_time > {time})
  AND {origin}

-- name: columns
p.passage_id, p.message_id, p.user_id, p.agent_id, p.app_id, p.run_id, p.text, p.role, p.name,
p.metadata, p.event_time, p.expiration_date, p.create_time

-- name: read
-- As they were at `$4`, or as they are.
SELECT {columns}
FROM passages AS p
WHERE p.project_id = $1 AND p.passage_id = ANY ($2::uuid[])
  AND ($3::date IS NULL OR p.expiration_date IS NULL OR p.expiration_date >= $3)
  AND (p.delete_time IS NULL OR p.delete_time > $4::timestamptz);
