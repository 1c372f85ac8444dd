-- What a search of a past instant compares: the embedding of each new text. An event that left the text
-- as it was has none, as has an event from before this migration whose text was changed since.

ALTER TABLE memory_events ADD COLUMN embedding halfvec;

UPDATE memory_events AS e
SET embedding = m.embedding
FROM memories AS m
WHERE m.project_id = e.project_id AND m.memory_id = e.memory_id AND m.version = e.version;
