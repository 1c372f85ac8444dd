-- What the lexical arm of a search reads, kept by PostgreSQL itself whoever writes the text.

-- A tsvector holds at most 1 MiB, and a longer one would refuse the memory: what stands behind the
-- first 100,000 characters of a text is not indexed. Of the configurations that every PostgreSQL
-- has, `english` also serves other languages: it folds case and strips few endings of their words.
ALTER TABLE memories
    ADD COLUMN lexemes tsvector NOT NULL
        GENERATED ALWAYS AS (to_tsvector('pg_catalog.english', left(text, 100000))) STORED,
    ADD COLUMN text_length integer NOT NULL GENERATED ALWAYS AS (char_length(text)) STORED,
    -- The place among the changes of the call that added it: with the time of the call it says what
    -- was said next to what.
    ADD COLUMN ordinal integer NOT NULL DEFAULT 0;

-- A search reads lexemes and scope of every memory that it compares: out of line they would cost a
-- look-up each. At the usual target of 2 kB PostgreSQL would move even digests out of the way of the
-- embedding and the lexemes of a long text.
ALTER TABLE memories
    ALTER COLUMN lexemes SET STORAGE MAIN,
    ALTER COLUMN scope_key SET STORAGE PLAIN,
    ALTER COLUMN digest SET STORAGE PLAIN,
    SET (toast_tuple_target = 4096);

UPDATE memories AS m
SET ordinal = e.ordinal
FROM memory_events AS e
WHERE e.project_id = m.project_id AND e.memory_id = m.memory_id AND e.version = 1
  AND e.ordinal <> 0;
