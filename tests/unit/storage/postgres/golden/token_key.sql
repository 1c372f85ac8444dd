-- name: find
SELECT value #>> '{}' FROM store_settings WHERE name = 'token_key';

-- name: keep
INSERT INTO store_settings (name, value)
VALUES ('token_key', to_jsonb($1::text))
ON CONFLICT (name) DO UPDATE SET value = store_settings.value
RETURNING value #>> '{}';
