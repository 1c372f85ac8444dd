-- Reading passages: the sentences of messages that did not become memories.

-- block: present_passages
-- Current passages with the columns of `memories`, so that a search ranks both alike.
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL

-- block: past_passages
-- Passages as they were at `time`, with the columns of `memories`. The slot `origin` takes the
-- condition on the scope of the calls that stored them.
SELECT p.project_id, p.passage_id AS memory_id, p.user_id, p.agent_id, p.app_id, p.run_id,
       p.scope_key, p.text, false AS inferred, false AS immutable, p.metadata,
       '{}'::text[] AS categories, p.event_time, p.expiration_date, p.create_time,
       p.create_time AS update_time, p.text_length, p.lexemes, p.embedding, p.role, p.name,
       p.message_id
FROM calls AS origin
JOIN passages AS p ON p.project_id = origin.project_id AND p.call_id = origin.call_id
WHERE origin.project_id = :project_id AND origin.call_time <= :time::timestamptz
  AND p.store_time <= :time
  AND (p.delete_time IS NULL OR p.delete_time > :time)
  AND {origin}

-- block: locked_passages
-- The current passages that match, locked in one order, so that two deletions cannot deadlock.
SELECT m.memory_id AS passage_id
FROM ({present_passages}) AS m
WHERE m.project_id = :project_id AND {scope} AND {filters}
ORDER BY m.memory_id
FOR UPDATE

-- block: passage_columns
p.passage_id, p.message_id, p.user_id, p.agent_id, p.app_id, p.run_id, p.text, p.role, p.name,
p.metadata, p.event_time, p.expiration_date, p.create_time

-- name: read
-- Passages as they were at `time`, or the current ones if it is null.
SELECT {passage_columns}
FROM passages AS p
WHERE p.project_id = :project_id AND p.passage_id = ANY (:memory_ids::uuid[])
  AND (:visible_on::date IS NULL OR p.expiration_date IS NULL OR p.expiration_date >= :visible_on)
  AND (p.delete_time IS NULL OR p.delete_time > :time::timestamptz);
