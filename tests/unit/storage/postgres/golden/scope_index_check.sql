-- name: check_scopes
SELECT checked.number, checked.digest, checked.question, checked.meanings, m.memory_id, m.stamp, m.version, m.scope_key, m.role, m.name, m.message_id, m.create_time,
m.update_time, m.event_time, m.text_length, m.expiration_date, halfvec_send(m.embedding) AS vector,
tsvectorsend(m.lexemes) AS words
FROM (
    SELECT checked.number, checked.part, checked.after,
           coalesce((SELECT bit_xor(m.stamp) FROM (SELECT m.project_id, m.user_id, m.agent_id, m.app_id, m.run_id, m.memory_id,
       uuid_hash_extended(m.memory_id, m.version) AS stamp, m.version, m.scope_key, m.role, m.name,
       m.message_id, m.create_time, m.update_time, m.event_time, m.text_length, m.expiration_date,
       m.embedding, m.lexemes
FROM memories AS m
UNION ALL
SELECT m.project_id, m.user_id, m.agent_id, m.app_id, m.run_id, m.passage_id,
       uuid_hash_extended(m.passage_id, 0), 0::bigint, m.scope_key, m.role, m.name,
       m.message_id, m.create_time, m.create_time, m.event_time, m.text_length, m.expiration_date,
       m.embedding, m.lexemes
FROM passages AS m
WHERE m.delete_time IS NULL) AS m WHERE m.project_id = (SELECT $1::text) AND m.user_id = checked.part), 0) AS digest,
           tsvectorsend(words_of(checked.question)) AS question,
           ARRAY(
               SELECT tsvectorsend(to_tsvector('pg_catalog.english', related.meaning))
               FROM unnest((SELECT $2::text[]), (SELECT $3::bigint[])) AS related (
                   meaning, number
               )
               WHERE related.number = checked.number
           ) AS meanings
    FROM unnest(
        (SELECT $4::text[]), (SELECT $5::text[]), (SELECT $6::timestamptz[])
    ) WITH ORDINALITY AS checked (question, part, after, number)
    OFFSET 0
) AS checked
LEFT JOIN LATERAL (
    SELECT m.*
    FROM (SELECT m.project_id, m.user_id, m.agent_id, m.app_id, m.run_id, m.memory_id,
       uuid_hash_extended(m.memory_id, m.version) AS stamp, m.version, m.scope_key, m.role, m.name,
       m.message_id, m.create_time, m.update_time, m.event_time, m.text_length, m.expiration_date,
       m.embedding, m.lexemes
FROM memories AS m
UNION ALL
SELECT m.project_id, m.user_id, m.agent_id, m.app_id, m.run_id, m.passage_id,
       uuid_hash_extended(m.passage_id, 0), 0::bigint, m.scope_key, m.role, m.name,
       m.message_id, m.create_time, m.create_time, m.event_time, m.text_length, m.expiration_date,
       m.embedding, m.lexemes
FROM passages AS m
WHERE m.delete_time IS NULL) AS m
    WHERE m.project_id = (SELECT $1::text) AND m.user_id = checked.part AND m.create_time > checked.after
    LIMIT (SELECT $7::bigint)
) AS m ON true;
