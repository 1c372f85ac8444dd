-- The key of the tokens that clients send back.

-- name: find
SELECT value #>> '{}' FROM store_settings WHERE name = 'token_key';

-- name: keep
-- The first server to start decides the key. The update changes nothing: it makes the statement
-- return an existing row.
INSERT INTO store_settings (name, value)
VALUES ('token_key', to_jsonb(:key::text))
ON CONFLICT (name) DO UPDATE SET value = store_settings.value
RETURNING value #>> '{}';
