-- What was said just before a message, and just after it: searches of large scopes look it up. (They
-- can have further indexes, which make writes dearer: see vector_index.sql.)
CREATE INDEX memories_conversation
    ON memories (project_id, scope_key, create_time, ordinal, memory_id)
    WHERE NOT inferred;
