-- name: erase_matching_passages
WITH locked_passages AS MATERIALIZED (SELECT m.memory_id AS passage_id
FROM (SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
WHERE m.project_id = $1 AND m.user_id = $2 AND m.run_id = $3 AND ((m.metadata <> '{}' AND m.metadata @> $4::jsonb) AND ($5::text = ANY (m.categories) OR strpos(casefold(m.text COLLATE "pg_unicode_fast"), casefold($6::text COLLATE "pg_unicode_fast")) > 0) AND (((m.create_time >= $7::timestamptz)) IS NOT TRUE))
ORDER BY m.memory_id
FOR UPDATE),
deleted_passages AS (
    DELETE FROM passages AS p
    USING locked_passages
    WHERE p.project_id = $1 AND p.passage_id = locked_passages.passage_id
    RETURNING p.call_id, p.message_id
),
deleted_messages AS (
    DELETE FROM messages AS m
    USING (SELECT DISTINCT * FROM deleted_passages) AS source
    WHERE m.project_id = $1 AND m.call_id = source.call_id AND m.message_id = source.message_id
      AND NOT EXISTS (
          SELECT FROM memory_events AS e
          WHERE e.project_id = $1 AND e.call_id = m.call_id
            AND e.state -> 'evidence'
                @> jsonb_build_array(jsonb_build_object('message_id', m.message_id))
      )
    RETURNING m.message_id
)
SELECT (SELECT count(*) FROM deleted_passages) AS passages,
       (SELECT count(*) FROM deleted_messages) AS messages;
