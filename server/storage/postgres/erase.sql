-- Erasing memories with all that history keeps of them, in one transaction of several statements. The
-- caller has locked the memories that are present. $1 is the project, $2 the memories; `{passages}` stands
-- for the block `present` of passages.sql. Phrases come with the keys of their scopes, and without the end
-- of the sentence; they are compared without regard to case.

-- name: phrases
-- What the versions of the memories say, word for word: texts, and quotes of messages. With the scope.
SELECT DISTINCT m.scope_key, said.phrase
FROM memory_events AS e
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, e.state) AS m
CROSS JOIN LATERAL (
    SELECT m.text AS phrase
    UNION
    SELECT quote FROM jsonb_to_recordset(m.evidence) AS evidence (quote text)
) AS said
WHERE e.project_id = $1 AND e.memory_id = ANY ($2::uuid[]) AND e.state IS NOT NULL
  AND said.phrase <> '';

-- name: delete_messages
-- The messages of the calls that made the memories, and those of the same scopes that say the same
-- ($3 scopes, $4 phrases, $5 what may end a sentence), unless another memory, present or past, rests on
-- them: the event that cited a message first belongs to the message's own call.
WITH erased AS MATERIALIZED (SELECT unnest($2::uuid[]) AS memory_id),
making_calls AS MATERIALIZED (
    SELECT DISTINCT e.call_id
    FROM erased
    JOIN memory_events AS e ON e.project_id = $1 AND e.memory_id = erased.memory_id
    WHERE e.state IS NOT NULL
),
said AS MATERIALIZED (
    SELECT scope_key, lower(phrase) AS folded
    FROM unnest($3::bytea[], $4::text[]) AS said (scope_key, phrase)
),
sources AS MATERIALIZED (
    SELECT m.call_id, m.ordinal, m.message_id
    FROM making_calls JOIN messages AS m ON m.project_id = $1 AND m.call_id = making_calls.call_id
    UNION
    SELECT m.call_id, m.ordinal, m.message_id
    FROM (SELECT DISTINCT scope_key FROM said) AS of_scope
    JOIN calls AS c ON c.project_id = $1 AND c.scope_key = of_scope.scope_key
    JOIN messages AS m ON m.project_id = $1 AND m.call_id = c.call_id
    WHERE (c.scope_key, lower(rtrim(m.content, $5))) IN (SELECT scope_key, folded FROM said)
),
cited AS MATERIALIZED (
    SELECT evidence.message_id
    FROM (SELECT DISTINCT call_id FROM sources) AS of_source
    JOIN memory_events AS e ON e.project_id = $1 AND e.call_id = of_source.call_id
    CROSS JOIN LATERAL jsonb_to_recordset(e.state -> 'evidence') AS evidence (message_id uuid)
    WHERE e.state IS NOT NULL AND e.memory_id NOT IN (SELECT memory_id FROM erased)
),
gone AS (
    DELETE FROM messages AS m
    USING sources
    WHERE m.project_id = $1 AND m.call_id = sources.call_id AND m.ordinal = sources.ordinal
      AND sources.message_id NOT IN (SELECT message_id FROM cited)
    RETURNING m.call_id
)
SELECT count(*) FROM gone;

-- name: messages_with_phrases
-- What is left in the same scopes with a phrase in it: a phrase of $5 characters and more in any
-- message, a shorter one in those of the calls that made the memories. With the quotes that other
-- memories rest on, where '' is the whole message.
-- Each message of the scopes is compared with each phrase, so both are folded once, before they meet.
WITH erased AS MATERIALIZED (SELECT unnest($2::uuid[]) AS memory_id),
making_calls AS MATERIALIZED (
    SELECT DISTINCT e.call_id
    FROM erased
    JOIN memory_events AS e ON e.project_id = $1 AND e.memory_id = erased.memory_id
),
said AS MATERIALIZED (
    SELECT scope_key, phrase, lower(phrase) AS folded, char_length(phrase) >= $5 AS is_long
    FROM unnest($3::bytea[], $4::text[]) AS said (scope_key, phrase)
),
spoken AS MATERIALIZED (
    SELECT c.scope_key, m.call_id, m.ordinal, m.message_id, m.content, lower(m.content) AS folded,
           m.call_id IN (SELECT call_id FROM making_calls) AS is_source
    FROM (SELECT DISTINCT scope_key FROM said) AS of_scope
    JOIN calls AS c ON c.project_id = $1 AND c.scope_key = of_scope.scope_key
    JOIN messages AS m ON m.project_id = $1 AND m.call_id = c.call_id
),
found AS MATERIALIZED (
    SELECT spoken.call_id, spoken.ordinal, spoken.message_id, spoken.content,
           array_agg(said.phrase) AS phrases
    FROM spoken
    JOIN said
        ON said.scope_key = spoken.scope_key AND (said.is_long OR spoken.is_source)
        AND strpos(spoken.folded, said.folded) > 0
    GROUP BY spoken.call_id, spoken.ordinal, spoken.message_id, spoken.content
)
SELECT found.call_id, found.ordinal, found.content, found.phrases, others.quotes
FROM found
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT evidence.quote), '{}') AS quotes
    FROM memory_events AS e
    CROSS JOIN LATERAL jsonb_to_recordset(e.state -> 'evidence')
        AS evidence (message_id uuid, quote text)
    WHERE e.project_id = $1 AND e.call_id = found.call_id AND e.state IS NOT NULL
      AND e.memory_id NOT IN (SELECT memory_id FROM erased) AND evidence.message_id = found.message_id
) AS others;

-- name: redact_messages
UPDATE messages AS m
SET content = given.content
FROM unnest($2::uuid[], $3::integer[], $4::text[]) AS given (call_id, ordinal, content)
WHERE m.project_id = $1 AND m.call_id = given.call_id AND m.ordinal = given.ordinal;

-- name: erase_passages
-- Of messages that are gone by now, and those of the same scopes with a sentence that tells of a phrase.
-- They go whole, with their vectors, and with all that was left of the same messages before.
WITH making_call AS MATERIALIZED (
    SELECT DISTINCT call_id
    FROM memory_events
    WHERE project_id = $1 AND memory_id = ANY ($2::uuid[]) AND state IS NOT NULL
),
said AS MATERIALIZED (
    SELECT scope_key, array_agg(phrase) AS phrases
    FROM unnest($3::bytea[], $4::text[]) AS said (scope_key, phrase)
    GROUP BY scope_key
),
chosen AS MATERIALIZED (
    SELECT p.call_id, p.message_id
    FROM making_call
    JOIN passages AS p ON p.project_id = $1 AND p.call_id = making_call.call_id
    WHERE NOT EXISTS (
        SELECT FROM messages AS m
        WHERE m.project_id = $1 AND m.call_id = p.call_id AND m.message_id = p.message_id
    )
    UNION
    SELECT p.call_id, p.message_id
    FROM said
    CROSS JOIN LATERAL telling_sentences($1, said.scope_key, said.phrases, NULL, false) AS telling
    JOIN passages AS p ON p.project_id = $1 AND p.passage_id = telling.passage_id
),
gone AS (
    DELETE FROM passages AS p
    USING chosen
    WHERE p.project_id = $1 AND p.call_id = chosen.call_id AND p.message_id = chosen.message_id
    RETURNING p.delete_time
)
SELECT count(*) FROM gone WHERE delete_time IS NULL;

-- name: erase_matching_passages
-- Passages have what filters ask for, so those that match go too, and their messages with them unless a
-- memory rests on those.
WITH gone AS (
    DELETE FROM passages AS p
    USING (
        SELECT m.memory_id FROM ({passages}) AS m WHERE m.project_id = $1 AND {scope} AND {filters}
    ) AS matching
    WHERE p.project_id = $1 AND p.passage_id = matching.memory_id
    RETURNING p.call_id, p.message_id
),
unsaid AS (
    DELETE FROM messages AS m
    USING (SELECT DISTINCT * FROM gone) AS source
    WHERE m.project_id = $1 AND m.call_id = source.call_id AND m.message_id = source.message_id
      AND NOT EXISTS (
          SELECT FROM memory_events AS e
          WHERE e.project_id = $1 AND e.call_id = m.call_id
            AND e.state -> 'evidence'
                @> jsonb_build_array(jsonb_build_object('message_id', m.message_id))
      )
    RETURNING m.message_id
)
SELECT (SELECT count(*) FROM gone) AS passages, (SELECT count(*) FROM unsaid) AS messages;

-- name: clear_notices
-- What a call said that it left out can quote its messages: of the calls that made the memories, and of
-- those in the same scopes ($3 scopes, $4 phrases) that quote a phrase.
UPDATE calls AS c
SET notices = '[]'
WHERE c.project_id = $1 AND c.scope_key = ANY ($3::bytea[]) AND c.notices <> '[]' AND (
    c.call_id IN (
        SELECT call_id FROM memory_events WHERE project_id = $1 AND memory_id = ANY ($2::uuid[])
    )
    OR EXISTS (
        SELECT
        FROM jsonb_array_elements(c.notices) AS notice (value),
             unnest($3::bytea[], $4::text[]) AS said (scope_key, phrase)
        WHERE said.scope_key = c.scope_key
          AND strpos(lower(notice.value ->> 'text'), lower(said.phrase)) > 0
    )
);

-- name: drop_payloads
-- Failed operations keep their request, so that it can be tried again: not one that says a phrase.
UPDATE operations AS o
SET payload = NULL
FROM unnest($2::bytea[], $3::text[]) AS said (scope_key, phrase)
WHERE o.project_id = $1 AND o.state = 'FAILED' AND o.payload IS NOT NULL
  AND o.scope_key = said.scope_key
  AND position(convert_to(said.phrase, 'UTF8') IN o.payload) > 0;

-- name: erase_memories
-- The first 17 parameters are those of the call, $18 are the memories and $19 what the receipt counts
-- already. Of each memory one event stays, its last deletion, with the scope that it belonged to.
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
deleted_memories AS (
    DELETE FROM memories WHERE project_id = $1 AND memory_id = ANY ($18::uuid[])
    RETURNING memory_id
),
deleted_events AS (
    DELETE FROM memory_events WHERE project_id = $1 AND memory_id = ANY ($18::uuid[])
    RETURNING memory_id, version
),
unfinished_embeddings AS (
    DELETE FROM reembedding WHERE project_id = $1 AND memory_id = ANY ($18::uuid[])
),
last_states AS MATERIALIZED (
    SELECT DISTINCT ON (memory_id)
           memory_id,
           jsonb_strip_nulls(jsonb_build_object(
               'user_id', state -> 'user_id', 'agent_id', state -> 'agent_id',
               'app_id', state -> 'app_id', 'run_id', state -> 'run_id'
           )) AS scope
    FROM memory_events
    WHERE project_id = $1 AND memory_id = ANY ($18::uuid[]) AND state IS NOT NULL
    ORDER BY memory_id, version DESC
),
receipt AS MATERIALIZED (
    SELECT $19::jsonb || jsonb_build_object(
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
    SELECT $1, last_states.memory_id, newest.version + 1, new_position.position,
           row_number() OVER (ORDER BY last_states.memory_id) - 1, $2, 'DELETE', $16, NULL,
           last_states.scope
    FROM new_position, last_states
    JOIN (
        SELECT memory_id, max(version) AS version FROM deleted_events GROUP BY memory_id
    ) AS newest USING (memory_id)
),
enqueued AS (
    {enqueue}
    SELECT $1, last_states.memory_id, new_position.position, new_position.position, $12, $17
    FROM last_states, new_position
    ORDER BY last_states.memory_id
    {enqueue_again}
)
SELECT new_position.position, receipt.counts FROM new_position, receipt;

-- name: lock_memory
-- Waits for a change in progress, so that the next statement sees the version that it leaves behind.
SELECT FROM memories WHERE project_id = $1 AND memory_id = $2 FOR UPDATE;

-- name: newest_version
-- Null where nothing is left to erase.
SELECT max(version) FROM memory_events WHERE project_id = $1 AND memory_id = $2
HAVING count(state) > 0;

-- name: lock_matching
-- In one order, so that two deletions do not wait for each other.
SELECT m.memory_id
FROM memories AS m
WHERE m.project_id = $1 AND {scope} AND {filters}
ORDER BY m.memory_id
FOR UPDATE;
