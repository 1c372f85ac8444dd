-- The schema of the store.
--
-- PostgreSQL is the only source of truth. The primary key of every table of the tenants begins with
-- project_id, and every statement binds it, so that the tables can be distributed by project. They have
-- no foreign keys: one statement writes a call with all its effects, and projects are moved or deleted
-- as a whole.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE SEQUENCE change_position;
COMMENT ON SEQUENCE change_position IS
    'Orders the changes of a project in the outbox, the history and consistency tokens.';

-- Returns the text in the form that is split into words: composed (NFC) and case folded, so that every
-- word has one spelling. Text in scripts without spaces becomes overlapping pairs of characters. Signs
-- that belong to a name are spelled out, so that "C++" and "C" are different words.
CREATE FUNCTION spelled_out(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN folded.said !~ unspaced.one THEN folded.said
        ELSE regexp_replace(folded.said, unspaced.two, ' \1 ', 'g') || ' ' || regexp_replace(
                 regexp_replace(
                     regexp_replace(folded.said, unspaced.first, ' ', 'g'), unspaced.others, ' ', 'g'
                 ),
                 unspaced.two, ' \1 ', 'g'
             )
    END
    FROM (
        SELECT regexp_replace(regexp_replace(regexp_replace(
            casefold(normalize(translate(said, '¿¡', '  '), NFC) COLLATE pg_unicode_fast),
            '([[:alnum:]])&([[:alnum:]])', '\1and\2', 'g'),
            '([[:alnum:]])\+\+', '\1plusplus', 'g'),
            '([[:alnum:]])#(?![[:alnum:]])', '\1sharp', 'g')
    ) AS folded (said),
    (
        -- One character (letter or mark) of Thai, Lao, Khmer, Burmese, kana or Han.
        SELECT '[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]',
               '([\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]{2})',
               '(^|[^\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF])'
               '[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]',
               '[^\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]+'
    ) AS unspaced (one, two, first, others)
$$;

-- Returns the language of a text in Latin letters, judged by its first words; NULL for English and for unknown
-- languages. Only languages with stop words in PostgreSQL are recognized. Most texts contain a common English
-- word, which decides at once. Otherwise frequent words of each language are counted, except English words
-- and abbreviations such as "MIT".
CREATE FUNCTION language_of(said text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    beginning text := left(said, 500);
BEGIN
    IF beginning ~* '\m(the|and|you|your|my|what|with|that|this|when|where|did|does|she|they|are)\M' THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT language
        FROM (VALUES
            ('danish', '{jeg,ikke,og,hvad,mig,har,på,hvor,hvornår,hvilken,hvem,blev,noget}'::text[]),
            ('dutch', '{ik,niet,het,een,voor,mijn,wij,zijn,wat,waar,wanneer,welke,hij,heb,heeft,naar,ook}'),
            ('finnish', '{minä,olen,ei,että,mikä,missä,milloin,kuka,minun,hän,mutta,meidän,joka}'),
            ('french', '{je,une,les,des,nous,dans,avec,suis,où,quand,quel,quelle,qui,mes,chez,depuis,mais,très}'),
            ('german', '{ich,und,nicht,der,das,ist,mein,meine,wir,auf,ein,eine,einen,wann,welche,wer,habe,für,wie,sich}'),
            ('hungarian', '{és,nem,egy,hogy,hol,mikor,vagyok,melyik,nekem,minden,mert}'),
            ('italian', '{gli,una,del,della,nel,nella,mio,quando,quale,sono,è,cosa,perché,anche,ogni}'),
            ('norwegian', '{jeg,ikke,og,hva,på,hvor,når,hvilken,hvem,har,noe,også}'),
            ('portuguese', '{não,meu,minha,uma,para,onde,quando,qual,quem,sou,é,que,está,foi,há,por,você,muito}'),
            ('spanish', '{el,los,las,una,del,en,para,dónde,cuándo,cuál,quién,tengo,que,qué,por,muy,pero,está,cómo,más}'),
            ('swedish', '{jag,inte,och,vad,mig,är,från,när,vilken,vem,på,har,också}'),
            ('turkish', '{bir,benim,nerede,hangi,için,çok,bu,değil,zaman,nasıl,olarak}')
        ) AS known (language, frequent),
             to_tsvector('pg_catalog.simple', beginning) AS words
        WHERE length(ts_delete(words, frequent)) < length(words)
        ORDER BY length(ts_delete(words, frequent)), language
        LIMIT 1
    );
END
$$;

-- Returns the lexemes of a text, stemmed according to its script. Text in Latin letters gets English stems. If its
-- language is recognized as another one, it also gets the stems of that language, without its stop words. The English
-- stems then match questions that are too short to recognize their language. Only the first 100,000 characters are
-- indexed, because a tsvector holds at most 1 MiB and a memory with a longer one could not be stored.
CREATE FUNCTION words_of(said text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    written text := left(said, 100000);
    language text;
    stemmer regdictionary;
    own tsvector;
    english tsvector;
BEGIN
    IF said ~ '[^\x01-\x7f]|[&+#]' THEN
        written := spelled_out(written);
        language := CASE
            WHEN said ~ '[\u0400-\u04FF]' THEN 'russian'
            WHEN said ~ '[\u0370-\u03FF]' THEN 'greek'
            WHEN said ~ '[\u0600-\u06FF]' THEN 'arabic'
            WHEN said ~ '[\u0900-\u097F]' THEN 'hindi'
            WHEN said ~ '[\u0B80-\u0BFF]' THEN 'tamil'
            WHEN said ~ '[\u0530-\u058F]' THEN 'armenian'
        END;
        IF language IS NOT NULL THEN
            RETURN to_tsvector(('pg_catalog.' || language)::regconfig, written);
        END IF;
    END IF;
    english := to_tsvector('pg_catalog.english', written);
    language := language_of(written);
    IF language IS NULL THEN
        RETURN english;
    END IF;
    own := to_tsvector(('pg_catalog.' || language)::regconfig, written);
    stemmer := 'pg_catalog.' || language || '_stem';
    RETURN own || ts_delete(english, tsvector_to_array(own) || ARRAY(
        SELECT lexeme
        FROM unnest(tsvector_to_array(english)) AS lexeme
        WHERE ts_lexize(stemmer, lexeme) = '{}'
    ));
END
$$;

-- Immutable only with these patterns, which always name months and days in English. Other patterns of
-- `to_char` depend on the settings of the session.
CREATE FUNCTION words_of_time(event_time timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_char(event_time AT TIME ZONE 'UTC', 'FMDD FMMonth YYYY FMDay YYYY-MM');

-- Returns the words by which a memory or passage is found: text, speaker and time, and for an inferred
-- memory also the quotes of its evidence and the names of its entities. A passage without text is not found.
-- A speaker or an entity that an inferred memory names itself is not counted again, because otherwise memories
-- that begin with the speaker's name would answer every question about that person before what was only said.
-- Not a single expression: for the generated columns, PostgreSQL would read and expand it in every statement.
CREATE FUNCTION indexed_words(
    said text, role text, name text, event_time timestamptz,
    entities jsonb DEFAULT '[]', evidence jsonb DEFAULT '[]'
) RETURNS tsvector
-- pg_restore computes generated columns without a search path.
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
    words tsvector;
BEGIN
    IF said = '' THEN
        RETURN '';
    END IF;
    -- The evidence of a verbatim message has no quotes.
    IF entities = '[]' AND coalesce(evidence -> 0 ->> 'quote', '') = '' THEN
        RETURN words_of(concat_ws(E'\n', left(said, 90000), coalesce(name, role), words_of_time(event_time)));
    END IF;
    words := words_of(concat_ws(
        E'\n', left(said, 80000), left(jsonb_path_query_array(evidence, '$[*].quote') #>> '{}', 10000)
    ));
    RETURN words || ts_delete(words_of(left(concat_ws(
        E'\n', coalesce(name, role), words_of_time(event_time),
        jsonb_path_query_array(entities, '$[*].name') #>> '{}'
    ), 10000)), tsvector_to_array(words));
END
$$;

-- Returns the length of a memory for ranking, in characters: that of its message if it is longer, because
-- the memory is also found by the words of its message.
CREATE FUNCTION ranking_length(said text, evidence jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(char_length(said), (evidence -> 0 ->> 'message_length')::integer);

-- Returns a query for the stem of each word of a fact. Long stems match with or without their last letter,
-- so that "allergic" finds "allergy". Stop words and the word "user" are left out.
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

-- However a memory is updated or deleted, its former text is also removed from passages.
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
            PERFORM remove_from_passages(
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
            PERFORM remove_from_passages(
                change.project_id, change.scope_key, ARRAY[change.text], change.new_text,
                change.call_id, statement_timestamp()
            );
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;

-- Returns the key of an entity's name, folded as in server/graph/model.py: compatibility form (NFKC), case
-- folded, single spaces. A long key is replaced by its digest, because an index entry holds only about
-- 2,700 bytes.
CREATE FUNCTION folded_entity_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT CASE
        WHEN octet_length(key) <= 512 THEN key
        ELSE encode(sha256(convert_to(key, 'UTF8')), 'hex')
    END
    FROM (
        SELECT btrim(regexp_replace(
            normalize(casefold(normalize(name, NFKC) COLLATE pg_unicode_fast), NFKC), '\s+', ' ', 'g'
        ))
    ) AS folded (key)
);

-- Most names are short ASCII without spaces to fold. For them PostgreSQL inlines this expression, at a
-- thirtieth of the cost of calling a function that contains a query.
CREATE FUNCTION entity_key_of(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN octet_length(name) <= 512 AND name !~ '[^\x20-\x7e]|  |^ | $'
    THEN lower(name COLLATE pg_unicode_fast)
    ELSE folded_entity_key(name)
END;

-- However a memory is written or deleted, memory_relations holds its current relations.
CREATE FUNCTION relations_follow_memories() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM memory_relations
        WHERE project_id = OLD.project_id AND memory_id = OLD.memory_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO memory_relations (
            project_id, memory_id, ordinal, space, source_key, relation, target_key,
            user_id, agent_id, app_id, run_id, event_time, expiration_date
        )
        SELECT NEW.project_id, NEW.memory_id, stated.ordinal, NEW.graph_space,
               entity_key_of(stated.relation #>> '{source,name}'), stated.relation ->> 'relation',
               entity_key_of(stated.relation #>> '{target,name}'),
               NEW.user_id, NEW.agent_id, NEW.app_id, NEW.run_id, NEW.event_time,
               NEW.expiration_date
        FROM jsonb_array_elements(NEW.relations) WITH ORDINALITY AS stated (relation, ordinal);
    END IF;
    RETURN NULL;
END
$$;

CREATE TABLE store_settings (
    name text NOT NULL,
    value jsonb NOT NULL,
    PRIMARY KEY (name)
);
COMMENT ON TABLE store_settings IS
    'Settings of the whole store, such as the embedder of its vectors.';

CREATE TABLE servers (
    server_id bigint NOT NULL,
    PRIMARY KEY (server_id)
);
COMMENT ON TABLE servers IS
    'Running servers. A server holds the advisory lock of its number while it runs, so a row '
    'whose lock is free belongs to a dead server.';

CREATE TABLE projects (
    project_id text NOT NULL,
    org_id text NOT NULL,
    custom_instructions text NOT NULL DEFAULT '',
    custom_categories jsonb NOT NULL DEFAULT '[]',
    default_retention_days integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    delete_time timestamptz,
    keeps_passages boolean NOT NULL DEFAULT true,
    max_memories bigint NOT NULL DEFAULT 0,
    max_bytes bigint NOT NULL DEFAULT 0,
    max_calls_per_second bigint NOT NULL DEFAULT 0,
    max_calls bigint NOT NULL DEFAULT 0,
    max_streams bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id),
    CONSTRAINT projects_retention CHECK (default_retention_days >= 0),
    CONSTRAINT projects_quotas CHECK (
        least(max_memories, max_bytes, max_calls_per_second, max_calls, max_streams) >= 0
    )
);
COMMENT ON TABLE projects IS 'Tenants, with the settings of their clients and their quotas.';
COMMENT ON COLUMN projects.max_memories IS 'The maximum number of memories; 0 means no limit.';
COMMENT ON COLUMN projects.max_bytes IS
    'The maximum size of the texts of memories and messages, in bytes; 0 means no limit.';
COMMENT ON COLUMN projects.max_calls_per_second IS
    'The maximum number of calls per second in each serving process; 0 means no limit.';
COMMENT ON COLUMN projects.max_calls IS
    'The maximum number of concurrent calls in each serving process; 0 means no limit.';
COMMENT ON COLUMN projects.max_streams IS
    'The maximum number of open streams in each serving process; 0 means no limit.';
COMMENT ON COLUMN projects.custom_instructions IS
    'Instructions for the language model, in addition to the built-in prompt.';
COMMENT ON COLUMN projects.custom_categories IS
    'Categories that replace the built-in ones; empty means the built-in ones.';
COMMENT ON COLUMN projects.default_retention_days IS
    'Days until a memory without an expiration date expires; 0 means never.';

CREATE TABLE api_keys (
    digest bytea NOT NULL,
    key_id text NOT NULL,
    org_id text NOT NULL,
    project_id text,
    label text NOT NULL,
    create_time timestamptz NOT NULL,
    revoke_time timestamptz,
    role text NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    expire_time timestamptz,
    last_use_time timestamptz,
    UNIQUE (key_id),
    PRIMARY KEY (digest),
    FOREIGN KEY (project_id) REFERENCES projects(project_id),
    CONSTRAINT api_keys_role CHECK (role IN ('read', 'write', 'admin'))
);
COMMENT ON TABLE api_keys IS
    'Keys of organizations and projects. The primary key is the digest, because a key is looked '
    'up before its project is known. The key itself is not stored.';
COMMENT ON COLUMN api_keys.digest IS 'SHA-256 of the key.';
COMMENT ON COLUMN api_keys.project_id IS
    'The only project that the key gives access to; null means all projects of the organization.';
COMMENT ON COLUMN api_keys.revoke_time IS 'When the key was revoked; null if it was not.';
COMMENT ON COLUMN api_keys.role IS 'The role: read, write (includes read) or admin (includes both).';
COMMENT ON COLUMN api_keys.user_id IS
    'With agent_id, app_id and run_id the scope to which the key is confined; null means any.';
COMMENT ON COLUMN api_keys.expire_time IS 'When the key expires; null means never.';
COMMENT ON COLUMN api_keys.last_use_time IS
    'When the key was last used, updated within 15 seconds; null means never.';

CREATE TABLE calls (
    project_id text NOT NULL,
    call_id uuid NOT NULL,
    position bigint NOT NULL,
    method text NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea NOT NULL,
    request_id uuid,
    payload_digest bytea NOT NULL,
    correlation_id text NOT NULL,
    embedding_model text NOT NULL,
    language_model text,
    prompt_version text,
    call_time timestamptz NOT NULL,
    item integer NOT NULL DEFAULT 0,
    outcome jsonb,
    input_tokens integer,
    output_tokens integer,
    request_id_release_time timestamptz,
    traceparent text,
    notices jsonb NOT NULL DEFAULT '[]',
    key_id text,
    peer text,
    PRIMARY KEY (project_id, call_id)
);
COMMENT ON TABLE calls IS
    'Calls that changed something: the unit of idempotency and of history.';
COMMENT ON COLUMN calls.scope_key IS
    'Digest of the four scope fields, the same for all rows of a scope.';
COMMENT ON COLUMN calls.correlation_id IS 'The correlation id of the request, as in logs and traces.';
COMMENT ON COLUMN calls.traceparent IS
    'The span of the call (W3C Trace Context), to which later work links; null if the call '
    'was not traced.';
COMMENT ON COLUMN calls.key_id IS
    'The API key of the call; null for changes by the service itself.';
COMMENT ON COLUMN calls.peer IS 'The client''s address; null for changes by the service itself.';
COMMENT ON COLUMN calls.position IS
    'The position of the change in its project, from change_position.';
COMMENT ON COLUMN calls.method IS 'The called RPC.';
COMMENT ON COLUMN calls.request_id IS
    'The client''s id of the request: at most one call of a project with this id takes effect.';
COMMENT ON COLUMN calls.request_id_release_time IS
    'When the request id became available again; the call keeps it for tracing.';
COMMENT ON COLUMN calls.payload_digest IS
    'Digest of the request: the same request id with another payload is refused.';
COMMENT ON COLUMN calls.item IS
    'The place in a batch, from 1; 0 for a single call and for the batch itself.';
COMMENT ON COLUMN calls.outcome IS
    'The part of the response that the history does not contain: the receipt of a deletion.';
COMMENT ON COLUMN calls.notices IS
    'What an add left out and why, as a list of {reason, text}, so that a repeated call returns '
    'the same notices.';
COMMENT ON COLUMN calls.input_tokens IS
    'The input tokens of the inference; null if no language model was used.';

CREATE INDEX calls_scope ON calls (project_id, scope_key, "position" DESC);

-- The calls of a user, agent, app or run by time, for listing and deleting their past.
CREATE INDEX calls_user ON calls (project_id, user_id, call_time) WHERE user_id IS NOT NULL;
CREATE INDEX calls_agent ON calls (project_id, agent_id, call_time) WHERE agent_id IS NOT NULL;
CREATE INDEX calls_app ON calls (project_id, app_id, call_time) WHERE app_id IS NOT NULL;
CREATE INDEX calls_run ON calls (project_id, run_id, call_time) WHERE run_id IS NOT NULL;

-- A request id takes effect once.
CREATE UNIQUE INDEX calls_request_id
    ON calls (project_id, request_id, item)
    WHERE request_id IS NOT NULL AND request_id_release_time IS NULL;

-- The oldest request ids are released first.
CREATE INDEX calls_request_time
    ON calls (call_time) WHERE request_id IS NOT NULL AND request_id_release_time IS NULL;

-- Begins with the correlation id, because operators trace a request across all projects. A B-tree instead of
-- a hash index, because a client may send the same id with all its calls.
CREATE INDEX calls_correlation_id ON calls (correlation_id, project_id);

CREATE TABLE messages (
    project_id text NOT NULL,
    call_id uuid NOT NULL,
    ordinal integer NOT NULL,
    message_id uuid NOT NULL,
    role text NOT NULL,
    name text,
    content text NOT NULL,
    event_time timestamptz NOT NULL,
    PRIMARY KEY (project_id, call_id, ordinal)
);
COMMENT ON TABLE messages IS 'The messages of conversations, as they were sent.';
COMMENT ON COLUMN messages.ordinal IS 'The place of the message in its call, from 0.';

CREATE TABLE memories (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    version bigint NOT NULL,
    call_id uuid NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea STORAGE PLAIN NOT NULL,
    digest bytea STORAGE PLAIN NOT NULL,
    text text NOT NULL,
    role text,
    name text,
    inferred boolean NOT NULL,
    immutable boolean NOT NULL,
    metadata jsonb NOT NULL,
    categories text[] NOT NULL,
    entities jsonb NOT NULL,
    relations jsonb NOT NULL,
    evidence jsonb NOT NULL,
    event_time timestamptz NOT NULL,
    expiration_date date,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    embedding halfvec STORAGE PLAIN NOT NULL,
    lexemes tsvector STORAGE MAIN NOT NULL GENERATED ALWAYS AS (indexed_words(text, role, name, event_time, entities, evidence)) STORED,
    text_length integer NOT NULL GENERATED ALWAYS AS (ranking_length(text, evidence)) STORED,
    graph_space text GENERATED ALWAYS AS (
        coalesce('user:' || user_id, 'agent:' || agent_id, 'app:' || app_id, 'run:' || run_id)
    ) STORED,
    message_id uuid GENERATED ALWAYS AS ((evidence -> 0 ->> 'message_id')::uuid) STORED,
    PRIMARY KEY (project_id, memory_id),
    CONSTRAINT memories_version CHECK (version >= 1)
) WITH (toast_tuple_target = 4096);
COMMENT ON TABLE memories IS 'The current state of memories.';
COMMENT ON COLUMN memories.scope_key IS
    'Digest of the four scope fields, the same for all rows of a scope.';
COMMENT ON COLUMN memories.graph_space IS
    'The graph space, in which a name means one entity: the first field of the scope, as in `user:alice`.';
COMMENT ON COLUMN memories.version IS 'The number of the version, from 1.';
COMMENT ON COLUMN memories.call_id IS 'The call that wrote this version.';
COMMENT ON COLUMN memories.digest IS 'Digest of the text, unique in the scope.';
COMMENT ON COLUMN memories.role IS 'The role of the message.';
COMMENT ON COLUMN memories.name IS 'The name of the speaker, from the message.';
COMMENT ON COLUMN memories.inferred IS
    'Whether a language model inferred the memory; otherwise it is a verbatim message.';
COMMENT ON COLUMN memories.immutable IS 'Whether updates are refused; deletions are not.';
COMMENT ON COLUMN memories.entities IS 'The entities that the memory mentions.';
COMMENT ON COLUMN memories.relations IS 'The relations between entities that the memory states.';
COMMENT ON COLUMN memories.evidence IS 'The messages, and the quotes from them, that support the memory.';
COMMENT ON COLUMN memories.message_id IS
    'The first message of the evidence. Message ids are in the order of the conversation, so a '
    'search sees from them which texts are neighbours, and which hits come from one message.';
COMMENT ON COLUMN memories.event_time IS 'When it was said.';
COMMENT ON COLUMN memories.expiration_date IS 'The last day, in UTC, on which reads return the memory.';
COMMENT ON COLUMN memories.embedding IS
    'Stored inline, because a search reads all embeddings of a scope.';
COMMENT ON COLUMN memories.text_length IS
    'The length of the text or of its message, whichever is longer, in characters.';
COMMENT ON COLUMN memories.lexemes IS
    'The words for the lexical arm of a search: text, speaker and time.';

-- A text occurs once in a scope.
CREATE UNIQUE INDEX memories_digest ON memories (project_id, scope_key, digest);

-- The memories of a user, agent, app or run in the order of lists. The cost of a page depends on its size and
-- that of a search on its scope, not on the table. They contain the version, so that the digest of a scope is
-- computed by index-only scans.
CREATE INDEX memories_user
    ON memories (project_id, user_id, create_time, memory_id) INCLUDE (version)
    WHERE user_id IS NOT NULL;
CREATE INDEX memories_agent
    ON memories (project_id, agent_id, create_time, memory_id) INCLUDE (version)
    WHERE agent_id IS NOT NULL;
CREATE INDEX memories_app
    ON memories (project_id, app_id, create_time, memory_id) INCLUDE (version)
    WHERE app_id IS NOT NULL;
CREATE INDEX memories_run
    ON memories (project_id, run_id, create_time, memory_id) INCLUDE (version)
    WHERE run_id IS NOT NULL;
CREATE INDEX memories_create_time
    ON memories (project_id, create_time, memory_id) INCLUDE (version);

-- For filters on metadata: equality is evaluated as containment. Without a pending list, many writes do not
-- slow a look-up. Even an object without keys would be an entry to insert.
CREATE INDEX memories_metadata
    ON memories USING gin (metadata jsonb_path_ops) WITH (fastupdate=off) WHERE metadata <> '{}';

-- The memories that expire on a day, which leave the graph.
CREATE INDEX memories_expiration ON memories (expiration_date) WHERE expiration_date IS NOT NULL;

-- The neighbours of a message, for searches of large scopes.
CREATE INDEX memories_conversation
    ON memories (project_id, scope_key, message_id, memory_id) WHERE message_id IS NOT NULL;

-- The memories of a graph space that state aliases.
CREATE INDEX memories_with_aliases
    ON memories (project_id, graph_space)
    WHERE jsonb_path_exists(entities, '$[*].aliases[*]');

-- The memories of exactly one scope that are nearest to any of the vectors: at most so many for each.
-- A volatile function sees what was committed before it began, even if the statement that calls it has
-- begun earlier. It is planned once, because planning takes longer than to read the scope. By itself, PostgreSQL
-- would plan for the values of each call while the table grows, because plans for a smaller table were cheaper.
-- The subqueries hide the values, so that the plan does not depend on them.
CREATE FUNCTION nearest_memories(
    project text, scope bytea, vectors halfvec[], most bigint, visible_on date
) RETURNS TABLE (memory_id uuid, version bigint, update_time timestamptz, similarity double precision)
LANGUAGE sql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
    SELECT DISTINCT ON (near.memory_id)
        near.memory_id, near.version, near.update_time, -near.distance
    FROM unnest((SELECT vectors)) AS wanted (embedding)
    CROSS JOIN LATERAL (
        SELECT m.memory_id, m.version, m.update_time, m.embedding <#> wanted.embedding AS distance
        FROM memories AS m
        WHERE m.project_id = (SELECT project) AND m.scope_key = (SELECT scope)
          AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT nearest_memories.visible_on))
        ORDER BY distance, m.memory_id
        LIMIT (SELECT most)
    ) AS near
    ORDER BY near.memory_id, near.distance
$$;

CREATE TABLE passages (
    project_id text NOT NULL,
    passage_id uuid NOT NULL,
    call_id uuid NOT NULL,
    message_id uuid NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea STORAGE PLAIN NOT NULL,
    digest bytea STORAGE PLAIN NOT NULL,
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
    embedding halfvec STORAGE PLAIN NOT NULL,
    lexemes tsvector STORAGE MAIN NOT NULL GENERATED ALWAYS AS (indexed_words(text, role, name, event_time)) STORED,
    text_length integer NOT NULL GENERATED ALWAYS AS (char_length(text)) STORED,
    PRIMARY KEY (project_id, passage_id)
) WITH (toast_tuple_target = 4096);
COMMENT ON TABLE passages IS
    'The sentences of inferred adds that became no memory: those of a message that are not the '
    'evidence of a memory. Rows never change: a passage that loses a sentence is replaced by a new '
    'one. Columns with the same names as in memories have the same meaning.';
COMMENT ON COLUMN passages.digest IS
    'Digest of the message (speaker and text), so that a conversation that is sent again is kept '
    'once.';
COMMENT ON COLUMN passages.sentences IS
    'The remaining sentences, as in the message; empty if all of them became memories.';
COMMENT ON COLUMN passages.embedding IS
    'The embedding of the whole message: the context of a sentence helps to find it.';
COMMENT ON COLUMN passages.store_time IS
    'The start of the time in which searches, including those of the past, find the passage.';
COMMENT ON COLUMN passages.delete_time IS 'The end of that time.';

-- The current passages of a user, agent, app or run, in the order of the conversation.
CREATE INDEX passages_user
    ON passages (project_id, user_id, create_time, passage_id)
    WHERE user_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_agent
    ON passages (project_id, agent_id, create_time, passage_id)
    WHERE agent_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_app
    ON passages (project_id, app_id, create_time, passage_id)
    WHERE app_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_run
    ON passages (project_id, run_id, create_time, passage_id)
    WHERE run_id IS NOT NULL AND delete_time IS NULL;
CREATE INDEX passages_create_time
    ON passages (project_id, create_time, passage_id) WHERE delete_time IS NULL;

-- The newest passage of a message, deleted or not.
CREATE INDEX passages_digest ON passages (project_id, scope_key, digest, store_time);

-- The neighbours of a passage, for searches of large scopes.
CREATE INDEX passages_conversation
    ON passages (project_id, scope_key, message_id, passage_id) WHERE delete_time IS NULL;

-- Expired passages, which are purged.
CREATE INDEX passages_expiration ON passages (expiration_date) WHERE expiration_date IS NOT NULL;

-- The passages of a call: they are deleted with its messages, and searches of the past start from calls.
CREATE INDEX passages_call ON passages (project_id, call_id);

CREATE TABLE memory_events (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    ordinal integer NOT NULL,
    call_id uuid NOT NULL,
    type text NOT NULL,
    change_time timestamptz NOT NULL,
    state jsonb,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    embedding halfvec,
    erased_scope jsonb,
    PRIMARY KEY (project_id, memory_id, version),
    CONSTRAINT memory_events_type CHECK (type IN ('ADD', 'UPDATE', 'DELETE', 'RESTORE'))
);
COMMENT ON TABLE memory_events IS
    'The history of memories, append-only. It is enough to read any memory as it was at any '
    'time.';
COMMENT ON COLUMN memory_events.ordinal IS
    'The place among the changes of the call, from 0; -1 for the purge of an expired memory '
    'with the same text as a new one.';
COMMENT ON COLUMN memory_events.state IS
    'The row of the memory after the event, without its embedding; null after a deletion.';
COMMENT ON COLUMN memory_events.embedding IS
    'The embedding of the text; null if the event did not change the text.';
COMMENT ON COLUMN memory_events.transaction_id IS
    'Orders the stream of events. Unlike with positions, no event can appear any more with an id '
    'below that of the oldest open transaction.';

CREATE INDEX memory_events_call ON memory_events (project_id, call_id, ordinal);

-- The stream of a project, in an order in which events are only appended.
CREATE INDEX memory_events_stream
    ON memory_events (project_id, transaction_id, "position", ordinal, memory_id, version);

-- For counting the changes of the last minutes. A BRIN index is enough, because rows are nearly in the order of
-- their times.
CREATE INDEX memory_events_time
    ON memory_events USING brin (change_time) WITH (pages_per_range=32, autosummarize=on);
CREATE INDEX memory_events_erased
    ON memory_events USING gin (erased_scope jsonb_path_ops) WHERE erased_scope IS NOT NULL;

-- States with an expiration date, from which retention erases the history of deleted memories. Text is in the
-- order of time, because dates are in ISO 8601.
CREATE INDEX memory_events_expiration
    ON memory_events (((state ->> 'expiration_date'::text)))
    WHERE (state ->> 'expiration_date') IS NOT NULL;

CREATE UNLOGGED TABLE scope_leases (
    project_id text NOT NULL,
    scope_key bytea NOT NULL,
    lease uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    server_id bigint,
    PRIMARY KEY (project_id, scope_key)
);
COMMENT ON TABLE scope_leases IS
    'The leases by which inferred adds to a scope run one after another on all servers. '
    'Unlogged, because a lease need not survive a crash: nobody can commit with a lost lease.';
COMMENT ON COLUMN scope_leases.lease IS
    'Identifies the lease: only its holder knows it, and can renew, release or commit with it.';
COMMENT ON COLUMN scope_leases.server_id IS 'The server of the current or last holder.';

CREATE TABLE operations (
    project_id text NOT NULL,
    operation_id uuid NOT NULL,
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    state text NOT NULL DEFAULT 'QUEUED',
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea NOT NULL,
    request_id uuid,
    payload_digest bytea NOT NULL,
    payload bytea,
    output_format text NOT NULL,
    correlation_id text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    lease uuid,
    available_at timestamptz NOT NULL DEFAULT now(),
    create_time timestamptz NOT NULL DEFAULT now(),
    start_time timestamptz,
    end_time timestamptz,
    call_id uuid,
    fault text,
    error bytea,
    traceparent text,
    server_id bigint,
    key_id text,
    peer text,
    PRIMARY KEY (project_id, operation_id),
    CONSTRAINT operations_state CHECK (state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'))
);
COMMENT ON TABLE operations IS
    'Asynchronous calls: stored before they are acknowledged, and executed later by any server.';
COMMENT ON COLUMN operations.scope_key IS
    'Digest of the four scope fields, the same for all rows of a scope.';
COMMENT ON COLUMN operations.correlation_id IS 'The correlation id of the request, as in logs and traces.';
COMMENT ON COLUMN operations.traceparent IS
    'The span of the call (W3C Trace Context), to which later work links; null if the call '
    'was not traced.';
COMMENT ON COLUMN operations.key_id IS 'The API key of the call.';
COMMENT ON COLUMN operations.peer IS 'The client''s address.';
COMMENT ON COLUMN operations.position IS 'The order in which operations are executed.';
COMMENT ON COLUMN operations.payload IS 'The request, until the operation has ended.';
COMMENT ON COLUMN operations.failures IS
    'Attempts that failed because of the call itself. An attempt counts from its start, so that '
    'crashes count too.';
COMMENT ON COLUMN operations.lease IS 'The lease of the worker while RUNNING; it ends at available_at.';
COMMENT ON COLUMN operations.server_id IS 'The server of the current or last holder.';
COMMENT ON COLUMN operations.available_at IS
    'When the lease ends, or when the next attempt may start.';
COMMENT ON COLUMN operations.end_time IS 'When the operation succeeded, failed or was cancelled.';
COMMENT ON COLUMN operations.call_id IS 'The call that took effect.';
COMMENT ON COLUMN operations.fault IS 'The name of the error of the last failed attempt.';
COMMENT ON COLUMN operations.error IS 'The error of the operation, as google.rpc.Status.';

CREATE UNIQUE INDEX operations_request_id
    ON operations (project_id, request_id) WHERE request_id IS NOT NULL;

-- The pending operations of a project, oldest first.
CREATE INDEX operations_pending
    ON operations (project_id, "position") WHERE end_time IS NULL;

-- The oldest pending operation of a scope.
CREATE INDEX operations_pending_of_scope
    ON operations (project_id, scope_key, "position") WHERE end_time IS NULL;

-- Ended operations, which are purged oldest first.
CREATE INDEX operations_done ON operations (end_time) WHERE end_time IS NOT NULL;

-- For tracing a request, as calls_correlation_id.
CREATE INDEX operations_correlation_id ON operations (correlation_id, project_id);

-- For counting failed operations with every measurement of the queue.
CREATE INDEX operations_failed ON operations (project_id) WHERE state = 'FAILED';

-- For deleting a scope: most of its ended operations are found by their calls, but these have none.
CREATE INDEX operations_without_call
    ON operations (project_id) WHERE state = ANY (ARRAY['FAILED', 'CANCELLED']);

-- Operations that returned the result of another call with the same request id.
CREATE INDEX operations_of_other_call
    ON operations (project_id, call_id) WHERE call_id <> operation_id;

CREATE TABLE graph_outbox (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    position bigint NOT NULL,
    first_position bigint NOT NULL,
    correlation_id text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    enqueue_time timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    lease uuid,
    refusals integer NOT NULL DEFAULT 0,
    fault text,
    given_up_position bigint,
    traceparent text,
    PRIMARY KEY (project_id, memory_id),
    CONSTRAINT graph_outbox_positions CHECK (first_position <= position)
);
COMMENT ON TABLE graph_outbox IS 'Memories with changes that are not in the graph yet.';
COMMENT ON COLUMN graph_outbox.position IS 'The position of the newest change.';
COMMENT ON COLUMN graph_outbox.first_position IS 'The position of the oldest change that is not in the graph.';
COMMENT ON COLUMN graph_outbox.available_at IS 'When the row may be claimed: a time in the future is the end of a lease or a delay.';
COMMENT ON COLUMN graph_outbox.lease IS
    'The lease of the projector that claimed the row; nobody else can settle it.';
COMMENT ON COLUMN graph_outbox.refusals IS 'How often the graph refused the memory when it was projected alone.';
COMMENT ON COLUMN graph_outbox.fault IS 'The error with which the graph refused the memory.';
COMMENT ON COLUMN graph_outbox.given_up_position IS
    'The position at which the memory was given up; it is tried again after a newer change.';
COMMENT ON COLUMN graph_outbox.correlation_id IS 'The correlation id of the request, as in logs and traces.';
COMMENT ON COLUMN graph_outbox.traceparent IS
    'The span of the call (W3C Trace Context), to which later work links; null if the call '
    'was not traced.';

CREATE INDEX graph_outbox_pending ON graph_outbox (project_id, first_position);

-- Rows that may be claimed, oldest first.
CREATE INDEX graph_outbox_available
    ON graph_outbox (available_at) WHERE given_up_position IS DISTINCT FROM "position";

-- Memories that were given up.
CREATE INDEX graph_outbox_given_up
    ON graph_outbox (project_id) WHERE given_up_position = "position";

CREATE TABLE audit_events (
    project_id text NOT NULL,
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    event_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    org_id text NOT NULL,
    action text NOT NULL,
    key_id text,
    peer text,
    correlation_id text NOT NULL,
    target jsonb NOT NULL,
    before jsonb NOT NULL DEFAULT '{}',
    after jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (project_id, position)
);
COMMENT ON TABLE audit_events IS
    'Administrative and destructive acts, each recorded by the transaction that performs it. Rows are '
    'never changed or deleted. They contain ids, settings, versions and counts, but no text of memories.';
COMMENT ON COLUMN audit_events.project_id IS 'The project; empty for an act on an organization.';
COMMENT ON COLUMN audit_events.position IS 'The order of the acts.';
COMMENT ON COLUMN audit_events.action IS 'The RPC or the command of the command line.';
COMMENT ON COLUMN audit_events.key_id IS
    'The API key of the call; null for the command line and for acts of the service itself.';
COMMENT ON COLUMN audit_events.peer IS
    'The client''s address, or user and host of the command line; null for acts of the service itself.';
COMMENT ON COLUMN audit_events.correlation_id IS 'The correlation id of the request, as in logs and traces.';
COMMENT ON COLUMN audit_events.target IS 'The ids of the affected objects.';

-- For operators, who read the log across projects.
CREATE INDEX audit_events_position ON audit_events (position);

CREATE FUNCTION refuse_to_change_audit_events() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_events_stay
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit_events();

-- Records every call that deletes or restores memories in the audit log, with the ids of the first hundred
-- memories and the counts of the receipt.
CREATE FUNCTION audit_calls() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_events (
        project_id, org_id, key_id, peer, correlation_id, action, target, before, after
    )
    SELECT NEW.project_id,
           coalesce((SELECT org_id FROM projects WHERE project_id = NEW.project_id), ''),
           NEW.key_id, NEW.peer, NEW.correlation_id, NEW.method,
           jsonb_build_object('call_id', NEW.call_id, 'memory_ids', coalesce(jsonb_agg(memory_id), '[]')),
           jsonb_build_object('versions', coalesce(jsonb_agg(version - 1), '[]')),
           coalesce(NEW.outcome, '{}')
               || jsonb_build_object('versions', coalesce(jsonb_agg(version), '[]'))
    FROM (
        SELECT memory_id, version
        FROM memory_events
        WHERE project_id = NEW.project_id AND call_id = NEW.call_id
        ORDER BY ordinal
        LIMIT 100
    ) AS changed;
    RETURN NULL;
END
$$;

-- Only deletions have an outcome. Imported calls were audited in the store that they come from.
CREATE TRIGGER calls_are_audited
    AFTER INSERT ON calls
    FOR EACH ROW WHEN (
        (NEW.outcome IS NOT NULL OR NEW.method = 'RestoreMemory')
        AND current_setting('memoir.importing', true) IS DISTINCT FROM 'on'
    )
    EXECUTE FUNCTION audit_calls();

CREATE TABLE memory_relations (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    ordinal integer NOT NULL,
    space text NOT NULL,
    source_key text NOT NULL,
    relation text NOT NULL,
    target_key text NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    event_time timestamptz NOT NULL,
    expiration_date date,
    PRIMARY KEY (project_id, memory_id, ordinal)
);
COMMENT ON TABLE memory_relations IS
    'The relations that memories state, by the keys of their ends, for searches, which do not read '
    'the graph. Triggers derive them from memories.relations.';
COMMENT ON COLUMN memory_relations.ordinal IS 'The place of the relation in memories.relations, from 1.';
COMMENT ON COLUMN memory_relations.space IS 'memories.graph_space of the memory.';
COMMENT ON COLUMN memory_relations.source_key IS
    'The key of the name in the memory, even if it is an alias of an entity.';

-- The newest relations of an entity.
CREATE INDEX memory_relations_source
    ON memory_relations (project_id, space, source_key, event_time DESC, memory_id);
CREATE INDEX memory_relations_target
    ON memory_relations (project_id, space, target_key, event_time DESC, memory_id);

-- The newest relations of an agent, app or run. Those of a user are in one space.
CREATE INDEX memory_relations_agent
    ON memory_relations (project_id, agent_id, event_time) WHERE agent_id IS NOT NULL;
CREATE INDEX memory_relations_app
    ON memory_relations (project_id, app_id, event_time) WHERE app_id IS NOT NULL;
CREATE INDEX memory_relations_run
    ON memory_relations (project_id, run_id, event_time) WHERE run_id IS NOT NULL;

CREATE TRIGGER relations_follow_additions
    AFTER INSERT ON memories
    FOR EACH ROW WHEN (NEW.relations <> '[]')
    EXECUTE FUNCTION relations_follow_memories();
CREATE TRIGGER relations_follow_updates
    AFTER UPDATE ON memories
    FOR EACH ROW WHEN (
        (OLD.relations, OLD.event_time, OLD.expiration_date)
            IS DISTINCT FROM (NEW.relations, NEW.event_time, NEW.expiration_date)
        AND (OLD.relations <> '[]' OR NEW.relations <> '[]')
    )
    EXECUTE FUNCTION relations_follow_memories();
CREATE TRIGGER relations_follow_deletions
    AFTER DELETE ON memories
    FOR EACH ROW WHEN (OLD.relations <> '[]')
    EXECUTE FUNCTION relations_follow_memories();

CREATE TABLE entity_aliases (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    ordinal integer NOT NULL,
    space text NOT NULL,
    name text NOT NULL,
    alias text NOT NULL,
    PRIMARY KEY (project_id, memory_id, ordinal)
);
COMMENT ON TABLE entity_aliases IS
    'The aliases that the memories of a graph space state, derived from their entities.';

-- The aliases of a graph space.
CREATE INDEX entity_aliases_space ON entity_aliases (project_id, space);

CREATE TABLE entity_alias_changes (
    project_id text NOT NULL,
    space text NOT NULL,
    change_id uuid NOT NULL,
    keys jsonb NOT NULL,
    PRIMARY KEY (project_id, space, change_id)
);
COMMENT ON TABLE entity_alias_changes IS
    'Names of a space that belong to another entity since a change, until the memories that '
    'mention them are in the outbox.';

CREATE TABLE entity_splits (
    project_id text NOT NULL,
    space text NOT NULL,
    split_id bytea NOT NULL,
    name text NOT NULL,
    other_name text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (project_id, space, split_id)
);
COMMENT ON TABLE entity_splits IS
    'Names of a space that an operator declared to be different entities, whatever memories state.';
COMMENT ON COLUMN entity_splits.split_id IS
    'Digest of both names in folded form, because the names may be too long for a key.';

CREATE TABLE reembedding (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (project_id, memory_id, version)
);
COMMENT ON TABLE reembedding IS
    'Memories, past states and passages that must still be embedded again while the store changes '
    'its embedder; otherwise empty.';
COMMENT ON COLUMN reembedding.memory_id IS 'The memory, or the passage if the version is -1.';
COMMENT ON COLUMN reembedding.version IS
    'The version of a past state; 0 for the current state of a memory, -1 for a passage.';

-- Returns the sentences of a scope's passages that state one of the facts. A sentence does if it contains at least
-- half of the fact's words, two fifths of their weight, and one word that matters. A word in half of the passages
-- weighs little; otherwise every sentence with "like" would state "User likes coffee". If a fact was updated, the
-- words of its new text do not matter. `present` leaves out deleted passages. Only passages that contain
-- enough of a fact's words are split into sentences.
CREATE FUNCTION sentences_stating(
    of_project text, of_scope bytea, facts text[], new_fact text, present boolean
) RETURNS TABLE (passage_id uuid, n bigint)
LANGUAGE sql STABLE AS $$
    WITH known AS MATERIALIZED (
        SELECT number, place, word, new_fact IS NULL OR NOT still_said @@ word AS matters
        FROM words_of(coalesce(new_fact, '')) AS still_said,
             unnest(facts) WITH ORDINALITY AS given (fact, number),
             unnest(words_of_fact(fact)) WITH ORDINALITY AS of_fact (word, place)
    ),
    matched AS MATERIALIZED (
        SELECT p.passage_id, known.number, known.place
        FROM passages AS p JOIN known ON p.lexemes @@ known.word
        WHERE p.project_id = of_project AND p.scope_key = of_scope
          AND (p.delete_time IS NULL OR NOT present)
    ),
    -- In a small scope, the constants make all words weigh nearly the same.
    weighed AS MATERIALIZED (
        SELECT number, place, word, matters, weight,
               count(*) OVER of_fact AS words, sum(weight) OVER of_fact AS total
        FROM (
            SELECT known.*, ln(1 + (20.0 + (
                       SELECT count(*)
                       FROM passages AS p
                       WHERE p.project_id = of_project AND p.scope_key = of_scope
                         AND (p.delete_time IS NULL OR NOT present)
                   )) / (5.0 + (
                       SELECT count(*)
                       FROM matched
                       WHERE matched.number = known.number AND matched.place = known.place
                   ))) AS weight
            FROM known
        ) AS of_word
        WINDOW of_fact AS (PARTITION BY number)
    ),
    candidates AS MATERIALIZED (
        SELECT DISTINCT matched.passage_id
        FROM matched JOIN weighed USING (number, place)
        GROUP BY matched.passage_id, number
        HAVING 2 * count(*) >= min(words) AND sum(weight) >= 0.4 * min(total) AND bool_or(matters)
    ),
    said AS MATERIALIZED (
        SELECT p.passage_id, of_passage.n, words_of(sentence) AS lexemes
        FROM passages AS p, unnest(p.sentences) WITH ORDINALITY AS of_passage (sentence, n)
        WHERE p.project_id = of_project
          AND p.passage_id = ANY (ARRAY(SELECT candidates.passage_id FROM candidates))
    )
    SELECT DISTINCT said.passage_id, said.n
    FROM said JOIN weighed ON said.lexemes @@ weighed.word
    GROUP BY said.passage_id, said.n, number
    HAVING 2 * count(*) >= min(words) AND sum(weight) >= 0.4 * min(total) AND bool_or(matters)
$$;

-- Removes the sentences that state one of the facts from the passages of a scope, and returns the number of
-- affected passages. Passages of the call that updated a fact stay. Rows are locked in one order, so that two
-- deletions cannot deadlock.
CREATE FUNCTION remove_from_passages(
    of_project text, of_scope bytea, facts text[], new_fact text, of_call uuid, at_time timestamptz
) RETURNS integer
LANGUAGE sql AS $$
    WITH stating AS MATERIALIZED (
        SELECT passage_id, array_agg(n) AS places
        FROM sentences_stating(of_project, of_scope, facts, new_fact, true)
        GROUP BY passage_id
    ),
    taken AS MATERIALIZED (
        SELECT p.passage_id, stating.places
        FROM stating
        JOIN passages AS p ON p.project_id = of_project AND p.passage_id = stating.passage_id
        WHERE p.call_id IS DISTINCT FROM of_call
        ORDER BY p.passage_id
        FOR UPDATE OF p
    ),
    replaced AS (
        UPDATE passages AS p
        SET delete_time = at_time
        FROM taken
        WHERE p.project_id = of_project AND p.passage_id = taken.passage_id
        RETURNING p.*, ARRAY(
            SELECT sentence
            FROM unnest(p.sentences) WITH ORDINALITY AS of_passage (sentence, n)
            WHERE n <> ALL (taken.places)
            ORDER BY n
        ) AS left_over
    ),
    kept AS (
        INSERT INTO passages (
            project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id,
            scope_key, digest, sentences, text, role, name, metadata, event_time, expiration_date,
            create_time, store_time, delete_time, embedding
        )
        SELECT project_id, gen_random_uuid(), call_id, message_id, user_id, agent_id, app_id, run_id,
               scope_key, digest, left_over,
               btrim(array_to_string(left_over, ''), E' \t\r\n'), role, name, metadata, event_time,
               expiration_date, create_time, at_time,
               CASE WHEN cardinality(left_over) = 0 THEN at_time END, embedding
        FROM replaced
    )
    SELECT count(*)::integer FROM replaced
$$;

CREATE TRIGGER passages_follow_deletions
    AFTER DELETE ON memories REFERENCING OLD TABLE AS former
    FOR EACH STATEMENT EXECUTE FUNCTION passages_follow_memories();
CREATE TRIGGER passages_follow_updates
    AFTER UPDATE ON memories REFERENCING OLD TABLE AS former NEW TABLE AS present
    FOR EACH STATEMENT EXECUTE FUNCTION passages_follow_memories();

-- Row-level security, in addition to the condition on project_id in every statement. A role that is subject to it
-- sees only the rows of the project in the setting memoir.project; '*' means all projects. The subselects are
-- evaluated once for each statement, so that each row costs only a comparison.
DO $$
DECLARE
    tenants_table regclass;
BEGIN
    FOR tenants_table IN
        SELECT c.oid
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenants_table);
        EXECUTE format(
            'CREATE POLICY one_project ON %s USING ('
            'project_id = (SELECT current_setting(''memoir.project'', true)) '
            'OR (SELECT current_setting(''memoir.project'', true)) = ''*'')',
            tenants_table
        );
    END LOOP;
END
$$;

-- What the role of a server needs: rows, but not the schema, and of the audit log only to add and to
-- read. Safe to repeat.
CREATE FUNCTION let_serve(service_role name) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), service_role);
    EXECUTE format(
        'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I',
        current_schema(), service_role
    );
    EXECUTE format('GRANT TRUNCATE ON reembedding TO %I', service_role);
    EXECUTE format(
        'GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), service_role
    );
    EXECUTE format('REVOKE UPDATE, DELETE ON audit_events FROM %I', service_role);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM %I', service_role);
END
$$;
