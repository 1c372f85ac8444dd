-- name: list_scope_items
SELECT m.memory_id, m.stamp FROM (SELECT m.project_id, m.user_id, m.agent_id, m.app_id, m.run_id, m.memory_id,
       uuid_hash_extended(m.memory_id, m.version) AS stamp, m.version, m.scope_key, m.role, m.name,
       m.message_id, m.create_time, m.update_time, m.event_time, m.text_length, m.expiration_date,
       m.embedding, m.lexemes
FROM memories AS m) AS m WHERE m.project_id = (SELECT $1::text) AND m.user_id = (SELECT $2::text);
