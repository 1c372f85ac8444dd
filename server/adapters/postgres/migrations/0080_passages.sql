-- What was told and became no fact: what is left of a message of an add with inference once the
-- sentences that its memories rest on are taken out.

-- Columns of the same name mean the same as in `memories`. `digest` stands for the message as it was
-- sent (speaker and words), so that a conversation that is sent again is kept once. `sentences` are
-- those that are left, as they stand in the message; none are left where all of it became memories.
-- The embedding is that of the whole message: measured, what stood around a sentence helps to find it.
-- A passage is never changed: one that loses a sentence makes way for another one. It could be found
-- from `store_time` until `delete_time`, so searches of the past find it as it was.
CREATE TABLE passages (
    project_id text NOT NULL,
    passage_id uuid NOT NULL,
    call_id uuid NOT NULL,
    message_id uuid NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea NOT NULL,
    digest bytea NOT NULL,
    sentences text[] NOT NULL,
    text text NOT NULL,
    role text NOT NULL,
    name text,
    metadata jsonb NOT NULL,
    event_time timestamptz NOT NULL,
    expiration_date date,
    create_time timestamptz NOT NULL,
    store_time timestamptz NOT NULL,
    delete_time timestamptz,
    ordinal integer NOT NULL,
    embedding halfvec NOT NULL,
    lexemes tsvector NOT NULL
        GENERATED ALWAYS AS (indexed_words(text, role, name, event_time)) STORED,
    text_length integer NOT NULL GENERATED ALWAYS AS (char_length(text)) STORED,
    PRIMARY KEY (project_id, passage_id)
);

-- As in `memories`: a search reads these of a whole scope. It never reads the sentences.
ALTER TABLE passages
    ALTER COLUMN embedding SET STORAGE PLAIN,
    ALTER COLUMN lexemes SET STORAGE MAIN,
    ALTER COLUMN scope_key SET STORAGE PLAIN,
    ALTER COLUMN digest SET STORAGE PLAIN,
    SET (toast_tuple_target = 4096);

-- Of each part of a scope, in the order of the conversation: of those that can be found.
CREATE INDEX passages_user ON passages (project_id, user_id, create_time, passage_id)
    WHERE user_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_agent ON passages (project_id, agent_id, create_time, passage_id)
    WHERE agent_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_app ON passages (project_id, app_id, create_time, passage_id)
    WHERE app_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_run ON passages (project_id, run_id, create_time, passage_id)
    WHERE run_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_create_time ON passages (project_id, create_time, passage_id)
    WHERE delete_time IS NULL;
-- The newest of a message, whether it can be found or not.
CREATE INDEX passages_digest ON passages (project_id, scope_key, digest, store_time);
-- What was told just before and just after: searches of large scopes look it up.
CREATE INDEX passages_conversation
    ON passages (project_id, scope_key, create_time, ordinal, passage_id)
    WHERE delete_time IS NULL;
-- What has expired is purged in time.
CREATE INDEX passages_expiration ON passages (expiration_date) WHERE expiration_date IS NOT NULL;
-- Of a call: its messages are deleted with it, and searches of the past come from there.
CREATE INDEX passages_call ON passages (project_id, call_id);

ALTER TABLE projects ADD COLUMN keeps_passages boolean NOT NULL DEFAULT true;

-- The stems of a fact's words, each to be found with its last letter or without: "allergic" finds
-- "allergy". Stop words are none of them, nor is what stands for the speaker.
CREATE FUNCTION words_of_fact(fact text) RETURNS tsquery[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT ('''' || replace(replace(stem, '\', '\\'), '''', '''''') || '''' || ending)::tsquery
    FROM (
        SELECT CASE WHEN length(lexeme) < 6 THEN lexeme ELSE left(lexeme, -1) END,
               CASE WHEN length(lexeme) < 6 THEN '' ELSE ':*' END
        FROM unnest(words_of(fact))
        WHERE lexeme <> 'user'
    ) AS found (stem, ending)
);

-- A sentence tells of a fact if it has at least half of the fact's words, and one of those that matter:
-- of what was deleted, rather too much is taken out than too little.
CREATE FUNCTION tells_of_fact(sentence text, words tsquery[], mattering tsquery[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 2 * count(*) FILTER (WHERE said.lexemes @@ word) >= count(*)
       AND bool_or(said.lexemes @@ word AND word = ANY (mattering))
    FROM words_of(sentence) AS said (lexemes),
         unnest(words) AS word
$$;

-- Takes the sentences that tell of one of the facts out of the passages of a scope, and answers how many
-- passages that concerns. Where a fact became another one, what both say stays, and so does what was
-- told in the call that changed it.
CREATE FUNCTION take_out_of_passages(
    of_project text, of_scope bytea, facts text[], new_fact text, of_call uuid, at_time timestamptz
) RETURNS integer
LANGUAGE sql AS $$
    WITH known AS MATERIALIZED (
        SELECT words, ARRAY(
                   SELECT word
                   FROM unnest(words) AS word
                   WHERE new_fact IS NULL
                      OR NOT words_of(new_fact) @@ word
               ) AS mattering
        FROM unnest(facts) AS fact, words_of_fact(fact) AS words
    ),
    narrowed AS MATERIALIZED (
        SELECT p.passage_id, cardinality(p.sentences) AS size, ARRAY(
                   SELECT sentence
                   FROM unnest(p.sentences) WITH ORDINALITY AS of_passage (sentence, n)
                   WHERE NOT EXISTS (
                       SELECT FROM known WHERE tells_of_fact(sentence, words, mattering)
                   )
                   ORDER BY n
               ) AS sentences
        FROM passages AS p
        WHERE p.project_id = of_project AND p.scope_key = of_scope AND p.delete_time IS NULL
          AND p.call_id IS DISTINCT FROM of_call
          AND EXISTS (SELECT FROM known, unnest(mattering) AS word WHERE p.lexemes @@ word)
    ),
    replaced AS (
        UPDATE passages AS p
        SET delete_time = at_time
        FROM narrowed
        WHERE p.project_id = of_project AND p.passage_id = narrowed.passage_id
          AND cardinality(narrowed.sentences) < narrowed.size
        RETURNING p.*, narrowed.sentences AS left_over
    ),
    kept AS (
        INSERT INTO passages (
            project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id,
            scope_key, digest, sentences, text, role, name, metadata, event_time, expiration_date,
            create_time, store_time, delete_time, ordinal, embedding
        )
        SELECT project_id, gen_random_uuid(), call_id, message_id, user_id, agent_id, app_id, run_id,
               scope_key, digest, left_over,
               btrim(array_to_string(left_over, ''), E' \t\r\n'), role, name, metadata, event_time,
               expiration_date, create_time, at_time,
               CASE WHEN cardinality(left_over) = 0 THEN at_time END, ordinal, embedding
        FROM replaced
    )
    SELECT count(*)::integer FROM replaced
$$;

-- Whatever way a memory is changed or deleted, no passage brings back what it said.
CREATE FUNCTION passages_follow_memories() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    change record;
BEGIN
    IF TG_OP = 'DELETE' THEN
        FOR change IN
            SELECT project_id, scope_key, array_agg(text) AS facts
            FROM former
            GROUP BY project_id, scope_key
        LOOP
            PERFORM take_out_of_passages(
                change.project_id, change.scope_key, change.facts, NULL, NULL, statement_timestamp()
            );
        END LOOP;
    ELSE
        FOR change IN
            SELECT project_id, former.scope_key, former.text, present.text AS new_text,
                   present.call_id
            FROM former JOIN present USING (project_id, memory_id)
            WHERE former.text <> present.text
        LOOP
            PERFORM take_out_of_passages(
                change.project_id, change.scope_key, ARRAY[change.text], change.new_text,
                change.call_id, statement_timestamp()
            );
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER passages_follow_deletions AFTER DELETE ON memories
    REFERENCING OLD TABLE AS former
    FOR EACH STATEMENT EXECUTE FUNCTION passages_follow_memories();
CREATE TRIGGER passages_follow_updates AFTER UPDATE ON memories
    REFERENCING OLD TABLE AS former NEW TABLE AS present
    FOR EACH STATEMENT EXECUTE FUNCTION passages_follow_memories();
