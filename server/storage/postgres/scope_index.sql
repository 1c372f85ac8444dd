-- Statements for the index of a scope in a server's memory (search_statements.py). The slot `items` takes the
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

-- name: check_scopes (items, project, scope)
-- For each search: the digest of its scope, which changes with every item, the words of its question,
-- and the items that were added after `after`, usually all that an index lacks. A scope without such
-- items has one row without an item. The digest is computed by index-only scans on vacuumed pages.
-- The slot `scope` compares the one part that the scopes have with `checked.part`, or, for a single scope of
-- several parts, each of them. OFFSET 0 computes a digest once, and not for each of its items. The lists
-- are hidden from the planner, which would otherwise plan for each of their lengths.
SELECT checked.number, checked.digest, checked.question, checked.meanings, {item_columns}
FROM (
    SELECT checked.number, checked.part, checked.after,
           coalesce((SELECT bit_xor(m.stamp) FROM ({items}) AS m WHERE {within}), 0) AS digest,
           tsvectorsend(words_of(checked.question)) AS question,
           ARRAY(
               SELECT tsvectorsend(to_tsvector('pg_catalog.english', related.meaning))
               FROM unnest((SELECT :meanings::text[]), (SELECT :meaning_of::bigint[])) AS related (
                   meaning, number
               )
               WHERE related.number = checked.number
           ) AS meanings
    FROM unnest(
        (SELECT :questions::text[]), (SELECT :parts::text[]), (SELECT :after::timestamptz[])
    ) WITH ORDINALITY AS checked (question, part, after, number)
    OFFSET 0
) AS checked
LEFT JOIN LATERAL (
    SELECT m.*
    FROM ({items}) AS m
    WHERE {within} AND m.create_time > checked.after
    LIMIT (SELECT :most::bigint)
) AS m ON true;

-- name: list_scope_items (items, project, scope)
SELECT m.memory_id, m.stamp FROM ({items}) AS m WHERE {within};

-- name: read_scope_items (items, project, scope)
SELECT {item_columns} FROM ({items}) AS m WHERE {within} AND m.memory_id = ANY (:memory_ids::uuid[]);
