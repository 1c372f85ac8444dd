-- name: create_lexemes
CREATE INDEX CONCURRENTLY memories_x ON memories USING gin (lexemes)
    WITH (gin_pending_list_limit = 256);
