-- Statements for the index of a scope in a server's memory (scope_indexes.py). The slot `items` takes the
-- blocks of the sources that are searched, `project` and `scope` what ranking.sql describes.

-- block: items_memories
SELECT m.project_id, m.user_id, m.agent_id, m.app_id, m.run_id, m.memory_id,
       uuid_hash_extended(m.memory_id, m.version) AS stamp, m.version, m.scope_key, m.role, m.name,
       m.message_id, m.create_time, m.update_time, m.event_time, m.text_length, m.expiration_date,
       m.embedding, m.lexemes
FROM memories AS m

-- block: items_passages
-- Passages are never changed, so they have no version.
SELECT m.project_id, m.user_id, m.agent_id, m.app_id, m.run_id, m.passage_id,
       uuid_hash_extended(m.passage_id, 0), 0::bigint, m.scope_key, m.role, m.name,
       m.message_id, m.create_time, m.create_time, m.event_time, m.text_length, m.expiration_date,
       m.embedding, m.lexemes
FROM passages AS m
WHERE m.delete_time IS NULL

-- block: within
m.project_id = {project} AND {scope}

-- block: item_columns
m.memory_id, m.stamp, m.version, m.scope_key, m.role, m.name, m.message_id, m.create_time,
m.update_time, m.event_time, m.text_length, m.expiration_date, halfvec_send(m.embedding) AS vector,
tsvectorsend(m.lexemes) AS words

-- name: look_at_scope (items, project, scope)
-- The digest of the scope, which changes with every item, the words of the question, and the items
-- that were added after `after`, usually all that an index lacks. A scope without such items has one
-- row without an item. The digest is computed by index-only scans on vacuumed pages.
SELECT scope.digest, scope.question, scope.meanings, {item_columns}
FROM (
    SELECT coalesce((SELECT bit_xor(m.stamp) FROM ({items}) AS m WHERE {within}), 0) AS digest,
           tsvectorsend(words_of(:question)) AS question,
           ARRAY(
               SELECT tsvectorsend(to_tsvector('pg_catalog.english', said))
               FROM unnest(:meanings::text[]) AS said
           ) AS meanings
) AS scope
LEFT JOIN LATERAL (
    SELECT m.*
    FROM ({items}) AS m
    WHERE {within} AND m.create_time > :after::timestamptz
    LIMIT (SELECT :most::bigint)
) AS m ON true;

-- name: list_scope_items (items, project, scope)
SELECT m.memory_id, m.stamp FROM ({items}) AS m WHERE {within};

-- name: read_scope_items (items, project, scope)
SELECT {item_columns} FROM ({items}) AS m WHERE {within} AND m.memory_id = ANY (:memory_ids::uuid[]);
