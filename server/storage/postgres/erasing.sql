-- Erasing memories with their whole history, in one transaction of several statements. The caller
-- has locked those of the memories that still exist. `phrases` are what the memories say, without
-- the punctuation that ends a sentence, each with its scope in `scope_keys`; they are compared
-- ignoring case. Blocks that are not here are in changing.sql and passages.sql.

-- name: phrases
-- What all versions of the memories say: their texts and the quotes of their evidence, with the
-- scope.
SELECT DISTINCT m.scope_key, stated.phrase
FROM memory_events AS e
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, e.state) AS m
CROSS JOIN LATERAL (
    SELECT m.text AS phrase
    UNION
    SELECT quote FROM jsonb_to_recordset(m.evidence) AS evidence (quote text)
) AS stated
WHERE e.project_id = :project_id AND e.memory_id = ANY (:memory_ids::uuid[]) AND e.state IS NOT NULL
  AND stated.phrase <> '';

-- name: delete_messages
-- Deletes the messages of the calls that wrote or deleted the memories, and messages of the same scopes
-- that consist of a phrase, unless they are evidence of another memory, past or present: a message is
-- cited by an event of its own call. `sentence_ends` are the characters that may end a sentence.
WITH erased AS MATERIALIZED (SELECT unnest(:memory_ids::uuid[]) AS memory_id),
source_calls AS MATERIALIZED (
    SELECT DISTINCT e.call_id
    FROM erased
    JOIN memory_events AS e ON e.project_id = :project_id AND e.memory_id = erased.memory_id
),
erased_phrases AS MATERIALIZED (
    SELECT scope_key, lower(phrase) AS folded
    FROM unnest(:scope_keys::bytea[], :phrases::text[]) AS given (scope_key, phrase)
),
sources AS MATERIALIZED (
    SELECT m.call_id, m.ordinal, m.message_id
    FROM source_calls
    JOIN messages AS m ON m.project_id = :project_id AND m.call_id = source_calls.call_id
    UNION
    SELECT m.call_id, m.ordinal, m.message_id
    FROM (SELECT DISTINCT scope_key FROM erased_phrases) AS of_scope
    JOIN calls AS c ON c.project_id = :project_id AND c.scope_key = of_scope.scope_key
    JOIN messages AS m ON m.project_id = :project_id AND m.call_id = c.call_id
    WHERE (c.scope_key, lower(rtrim(m.content, :sentence_ends))) IN (SELECT scope_key, folded FROM erased_phrases)
),
cited AS MATERIALIZED (
    SELECT evidence.message_id
    FROM (SELECT DISTINCT call_id FROM sources) AS of_source
    JOIN memory_events AS e ON e.project_id = :project_id AND e.call_id = of_source.call_id
    CROSS JOIN LATERAL jsonb_to_recordset(e.state -> 'evidence') AS evidence (message_id uuid)
    WHERE e.state IS NOT NULL AND e.memory_id NOT IN (SELECT memory_id FROM erased)
),
deleted AS (
    DELETE FROM messages AS m
    USING sources
    WHERE m.project_id = :project_id AND m.call_id = sources.call_id AND m.ordinal = sources.ordinal
      AND sources.message_id NOT IN (SELECT message_id FROM cited)
    RETURNING m.call_id
)
SELECT count(*) FROM deleted;

-- name: messages_with_phrases
-- The remaining messages of the same scopes that contain a phrase: one of at least `min_length`
-- characters anywhere, a shorter one only in the calls that wrote the memories. With each message
-- come the quotes that are evidence of other memories, where '' stands for the whole message. Each
-- message is compared with each phrase, so both are lower-cased once beforehand.
WITH erased AS MATERIALIZED (SELECT unnest(:memory_ids::uuid[]) AS memory_id),
source_calls AS MATERIALIZED (
    SELECT DISTINCT e.call_id
    FROM erased
    JOIN memory_events AS e ON e.project_id = :project_id AND e.memory_id = erased.memory_id
),
erased_phrases AS MATERIALIZED (
    SELECT scope_key, phrase, lower(phrase) AS folded, char_length(phrase) >= :min_length AS is_long
    FROM unnest(:scope_keys::bytea[], :phrases::text[]) AS given (scope_key, phrase)
),
candidates AS MATERIALIZED (
    SELECT c.scope_key, m.call_id, m.ordinal, m.message_id, m.content, lower(m.content) AS folded,
           m.call_id IN (SELECT call_id FROM source_calls) AS is_source
    FROM (SELECT DISTINCT scope_key FROM erased_phrases) AS of_scope
    JOIN calls AS c ON c.project_id = :project_id AND c.scope_key = of_scope.scope_key
    JOIN messages AS m ON m.project_id = :project_id AND m.call_id = c.call_id
),
found AS MATERIALIZED (
    SELECT candidates.call_id, candidates.ordinal, candidates.message_id, candidates.content,
           array_agg(erased_phrases.phrase) AS phrases
    FROM candidates
    JOIN erased_phrases
        ON erased_phrases.scope_key = candidates.scope_key
        AND (erased_phrases.is_long OR candidates.is_source)
        AND strpos(candidates.folded, erased_phrases.folded) > 0
    GROUP BY candidates.call_id, candidates.ordinal, candidates.message_id, candidates.content
)
SELECT found.call_id, found.ordinal, found.content, found.phrases, others.quotes
FROM found
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT evidence.quote), '{}') AS quotes
    FROM memory_events AS e
    CROSS JOIN LATERAL jsonb_to_recordset(e.state -> 'evidence')
        AS evidence (message_id uuid, quote text)
    WHERE e.project_id = :project_id AND e.call_id = found.call_id AND e.state IS NOT NULL
      AND e.memory_id NOT IN (SELECT memory_id FROM erased) AND evidence.message_id = found.message_id
) AS others;

-- name: redact_messages
UPDATE messages AS m
SET content = given.content
FROM unnest(:call_ids::uuid[], :ordinals::integer[], :contents::text[])
    AS given (call_id, ordinal, content)
WHERE m.project_id = :project_id AND m.call_id = given.call_id AND m.ordinal = given.ordinal;

-- name: erase_passages
-- Deletes the passages of messages that have been deleted, and passages of the same scopes with a
-- sentence that states one of the phrases, each with the earlier passages of the same message.
WITH source_calls AS MATERIALIZED (
    SELECT DISTINCT call_id
    FROM memory_events
    WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[])
),
erased_phrases AS MATERIALIZED (
    SELECT scope_key, array_agg(phrase) AS phrases
    FROM unnest(:scope_keys::bytea[], :phrases::text[]) AS given (scope_key, phrase)
    GROUP BY scope_key
),
chosen AS MATERIALIZED (
    SELECT p.call_id, p.message_id
    FROM source_calls
    JOIN passages AS p ON p.project_id = :project_id AND p.call_id = source_calls.call_id
    WHERE NOT EXISTS (
        SELECT FROM messages AS m
        WHERE m.project_id = :project_id AND m.call_id = p.call_id AND m.message_id = p.message_id
    )
    UNION
    SELECT p.call_id, p.message_id
    FROM erased_phrases
    CROSS JOIN LATERAL sentences_stating(
        :project_id, erased_phrases.scope_key, erased_phrases.phrases, NULL, false
    ) AS stating
    JOIN passages AS p ON p.project_id = :project_id AND p.passage_id = stating.passage_id
),
-- In one order, so that two deletions cannot deadlock.
locked_passages AS MATERIALIZED (
    SELECT p.passage_id
    FROM chosen
    JOIN passages AS p ON p.project_id = :project_id AND p.call_id = chosen.call_id
      AND p.message_id = chosen.message_id
    ORDER BY p.passage_id
    FOR UPDATE OF p
),
deleted_passages AS (
    DELETE FROM passages AS p
    USING locked_passages
    WHERE p.project_id = :project_id AND p.passage_id = locked_passages.passage_id
    RETURNING p.delete_time
)
SELECT count(*) FROM deleted_passages WHERE delete_time IS NULL;

-- name: erase_matching_passages (scope, filters)
-- Deletes the passages that match, and their messages unless they are evidence of a memory.
WITH locked_passages AS MATERIALIZED ({locked_passages}),
deleted_passages AS (
    DELETE FROM passages AS p
    USING locked_passages
    WHERE p.project_id = :project_id AND p.passage_id = locked_passages.passage_id
    RETURNING p.call_id, p.message_id
),
deleted_messages AS (
    DELETE FROM messages AS m
    USING (SELECT DISTINCT * FROM deleted_passages) AS source
    WHERE m.project_id = :project_id AND m.call_id = source.call_id AND m.message_id = source.message_id
      AND NOT EXISTS (
          SELECT FROM memory_events AS e
          WHERE e.project_id = :project_id AND e.call_id = m.call_id
            AND e.state -> 'evidence'
                @> jsonb_build_array(jsonb_build_object('message_id', m.message_id))
      )
    RETURNING m.message_id
)
SELECT (SELECT count(*) FROM deleted_passages) AS passages,
       (SELECT count(*) FROM deleted_messages) AS messages;

-- name: clear_notices
-- Notices can quote messages. Clears those of the calls that wrote the memories, and those in the
-- same scopes that contain a phrase.
UPDATE calls AS c
SET notices = '[]'
WHERE c.project_id = :project_id AND c.scope_key = ANY (:scope_keys::bytea[]) AND c.notices <> '[]'
  AND (
    c.call_id IN (
        SELECT call_id
        FROM memory_events
        WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[])
    )
    OR EXISTS (
        SELECT
        FROM jsonb_array_elements(c.notices) AS notice (value),
             unnest(:scope_keys::bytea[], :phrases::text[]) AS given (scope_key, phrase)
        WHERE given.scope_key = c.scope_key
          AND strpos(lower(notice.value ->> 'text'), lower(given.phrase)) > 0
    )
);

-- name: drop_payloads
-- A failed operation keeps its request so that it can be retried, unless the request contains a
-- phrase.
UPDATE operations AS o
SET payload = NULL
FROM unnest(:scope_keys::bytea[], :phrases::text[]) AS given (scope_key, phrase)
WHERE o.project_id = :project_id AND o.state = 'FAILED' AND o.payload IS NOT NULL
  AND o.scope_key = given.scope_key
  AND position(convert_to(given.phrase, 'UTF8') IN o.payload) > 0;

-- name: erase_memories
-- Deletes the memories and their history, and adds up the receipt: `counts` holds what the statements
-- before have deleted. One event of each memory remains, its deletion, with the scope that it had.
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
deleted_memories AS (
    DELETE FROM memories WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[])
    RETURNING memory_id
),
deleted_events AS (
    DELETE FROM memory_events WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[])
    RETURNING memory_id, version
),
unfinished_embeddings AS (
    DELETE FROM reembedding WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[])
),
last_states AS MATERIALIZED (
    SELECT DISTINCT ON (memory_id)
           memory_id,
           jsonb_strip_nulls(jsonb_build_object(
               'user_id', state -> 'user_id', 'agent_id', state -> 'agent_id',
               'app_id', state -> 'app_id', 'run_id', state -> 'run_id'
           )) AS scope
    FROM memory_events
    WHERE project_id = :project_id AND memory_id = ANY (:memory_ids::uuid[]) AND state IS NOT NULL
    ORDER BY memory_id, version DESC
),
receipt AS MATERIALIZED (
    SELECT :counts::jsonb || jsonb_build_object(
        'memories', (SELECT count(*) FROM deleted_memories),
        'events', (SELECT count(*) FROM deleted_events),
        'graph_memories', (SELECT count(*) FROM deleted_memories)
    ) AS counts
),
recorded AS (
    INSERT INTO calls ({call_columns}, outcome)
    SELECT {call_values}, receipt.counts
    FROM new_position, receipt
),
last_events AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        erased_scope
    )
    SELECT :project_id, last_states.memory_id, newest.version + 1, new_position.position,
           row_number() OVER (ORDER BY last_states.memory_id) - 1, :call_id, 'DELETE', :call_time, NULL,
           last_states.scope
    FROM new_position, last_states
    JOIN (
        SELECT memory_id, max(version) AS version FROM deleted_events GROUP BY memory_id
    ) AS newest USING (memory_id)
),
enqueued AS (
    {enqueue}
    SELECT :project_id, last_states.memory_id, new_position.position, new_position.position,
           :correlation_id, :traceparent
    FROM last_states, new_position
    ORDER BY last_states.memory_id
    {enqueue_again}
)
SELECT new_position.position, receipt.counts FROM new_position, receipt;

-- name: lock_memory
-- Waits for a change in progress, so that the next statement sees the version that results.
SELECT FROM memories WHERE project_id = :project_id AND memory_id = :memory_id FOR UPDATE;

-- name: newest_version
-- Returns no row if there is nothing left to erase.
SELECT max(version) FROM memory_events WHERE project_id = :project_id AND memory_id = :memory_id
HAVING count(state) > 0;

-- name: last_version
SELECT max(version) FROM memory_events WHERE project_id = :project_id AND memory_id = :memory_id;

-- name: lock_matching (scope, filters)
-- In one order, so that two deletions cannot deadlock.
SELECT m.memory_id
FROM memories AS m
WHERE m.project_id = :project_id AND {scope} AND {filters}
ORDER BY m.memory_id
FOR UPDATE;
