-- name: phrases
SELECT DISTINCT m.scope_key, stated.phrase
FROM memory_events AS e
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, e.state) AS m
CROSS JOIN LATERAL (
    SELECT m.text AS phrase
    UNION
    SELECT quote FROM jsonb_to_recordset(m.evidence) AS evidence (quote text)
) AS stated
WHERE e.project_id = $1 AND e.memory_id = ANY ($2::uuid[]) AND e.state IS NOT NULL
  AND stated.phrase <> '';

-- name: delete_messages
WITH erased AS MATERIALIZED (SELECT unnest($1::uuid[]) AS memory_id),
source_calls AS MATERIALIZED (
    SELECT DISTINCT e.call_id
    FROM erased
    JOIN memory_events AS e ON e.project_id = $2 AND e.memory_id = erased.memory_id
),
erased_phrases AS MATERIALIZED (
    SELECT scope_key, lower(phrase) AS folded
    FROM unnest($3::bytea[], $4::text[]) AS given (scope_key, phrase)
),
sources AS MATERIALIZED (
    SELECT m.call_id, m.ordinal, m.message_id
    FROM source_calls
    JOIN messages AS m ON m.project_id = $2 AND m.call_id = source_calls.call_id
    UNION
    SELECT m.call_id, m.ordinal, m.message_id
    FROM (SELECT DISTINCT scope_key FROM erased_phrases) AS of_scope
    JOIN calls AS c ON c.project_id = $2 AND c.scope_key = of_scope.scope_key
    JOIN messages AS m ON m.project_id = $2 AND m.call_id = c.call_id
    WHERE (c.scope_key, lower(rtrim(m.content, $5))) IN (SELECT scope_key, folded FROM erased_phrases)
),
cited AS MATERIALIZED (
    SELECT evidence.message_id
    FROM (SELECT DISTINCT call_id FROM sources) AS of_source
    JOIN memory_events AS e ON e.project_id = $2 AND e.call_id = of_source.call_id
    CROSS JOIN LATERAL jsonb_to_recordset(e.state -> 'evidence') AS evidence (message_id uuid)
    WHERE e.state IS NOT NULL AND e.memory_id NOT IN (SELECT memory_id FROM erased)
),
deleted AS (
    DELETE FROM messages AS m
    USING sources
    WHERE m.project_id = $2 AND m.call_id = sources.call_id AND m.ordinal = sources.ordinal
      AND sources.message_id NOT IN (SELECT message_id FROM cited)
    RETURNING m.call_id
)
SELECT count(*) FROM deleted;

-- name: messages_with_phrases
WITH erased AS MATERIALIZED (SELECT unnest($1::uuid[]) AS memory_id),
source_calls AS MATERIALIZED (
    SELECT DISTINCT e.call_id
    FROM erased
    JOIN memory_events AS e ON e.project_id = $2 AND e.memory_id = erased.memory_id
),
erased_phrases AS MATERIALIZED (
    SELECT scope_key, phrase, lower(phrase) AS folded, char_length(phrase) >= $3 AS is_long
    FROM unnest($4::bytea[], $5::text[]) AS given (scope_key, phrase)
),
candidates AS MATERIALIZED (
    SELECT c.scope_key, m.call_id, m.ordinal, m.message_id, m.content, lower(m.content) AS folded,
           m.call_id IN (SELECT call_id FROM source_calls) AS is_source
    FROM (SELECT DISTINCT scope_key FROM erased_phrases) AS of_scope
    JOIN calls AS c ON c.project_id = $2 AND c.scope_key = of_scope.scope_key
    JOIN messages AS m ON m.project_id = $2 AND m.call_id = c.call_id
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
    WHERE e.project_id = $2 AND e.call_id = found.call_id AND e.state IS NOT NULL
      AND e.memory_id NOT IN (SELECT memory_id FROM erased) AND evidence.message_id = found.message_id
) AS others;

-- name: redact_messages
UPDATE messages AS m
SET content = given.content
FROM unnest($1::uuid[], $2::integer[], $3::text[])
    AS given (call_id, ordinal, content)
WHERE m.project_id = $4 AND m.call_id = given.call_id AND m.ordinal = given.ordinal;

-- name: erase_passages
WITH source_calls AS MATERIALIZED (
    SELECT DISTINCT call_id
    FROM memory_events
    WHERE project_id = $1 AND memory_id = ANY ($2::uuid[])
),
erased_phrases AS MATERIALIZED (
    SELECT scope_key, array_agg(phrase) AS phrases
    FROM unnest($3::bytea[], $4::text[]) AS given (scope_key, phrase)
    GROUP BY scope_key
),
chosen AS MATERIALIZED (
    SELECT p.call_id, p.message_id
    FROM source_calls
    JOIN passages AS p ON p.project_id = $1 AND p.call_id = source_calls.call_id
    WHERE NOT EXISTS (
        SELECT FROM messages AS m
        WHERE m.project_id = $1 AND m.call_id = p.call_id AND m.message_id = p.message_id
    )
    UNION
    SELECT p.call_id, p.message_id
    FROM erased_phrases
    CROSS JOIN LATERAL sentences_stating(
        $1, erased_phrases.scope_key, erased_phrases.phrases, NULL, false
    ) AS stating
    JOIN passages AS p ON p.project_id = $1 AND p.passage_id = stating.passage_id
),
locked_passages AS MATERIALIZED (
    SELECT p.passage_id
    FROM chosen
    JOIN passages AS p ON p.project_id = $1 AND p.call_id = chosen.call_id
      AND p.message_id = chosen.message_id
    ORDER BY p.passage_id
    FOR UPDATE OF p
),
deleted_passages AS (
    DELETE FROM passages AS p
    USING locked_passages
    WHERE p.project_id = $1 AND p.passage_id = locked_passages.passage_id
    RETURNING p.delete_time
)
SELECT count(*) FROM deleted_passages WHERE delete_time IS NULL;

-- name: clear_notices
UPDATE calls AS c
SET notices = '[]'
WHERE c.project_id = $1 AND c.scope_key = ANY ($2::bytea[]) AND c.notices <> '[]'
  AND (
    c.call_id IN (
        SELECT call_id
        FROM memory_events
        WHERE project_id = $1 AND memory_id = ANY ($3::uuid[])
    )
    OR EXISTS (
        SELECT
        FROM jsonb_array_elements(c.notices) AS notice (value),
             unnest($2::bytea[], $4::text[]) AS given (scope_key, phrase)
        WHERE given.scope_key = c.scope_key
          AND strpos(lower(notice.value ->> 'text'), lower(given.phrase)) > 0
    )
);

-- name: drop_payloads
UPDATE operations AS o
SET payload = NULL
FROM unnest($1::bytea[], $2::text[]) AS given (scope_key, phrase)
WHERE o.project_id = $3 AND o.state = 'FAILED' AND o.payload IS NOT NULL
  AND o.scope_key = given.scope_key
  AND position(convert_to(given.phrase, 'UTF8') IN o.payload) > 0;

-- name: erase_memories
WITH new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
deleted_memories AS (
    DELETE FROM memories WHERE project_id = $1 AND memory_id = ANY ($2::uuid[])
    RETURNING memory_id
),
deleted_events AS (
    DELETE FROM memory_events WHERE project_id = $1 AND memory_id = ANY ($2::uuid[])
    RETURNING memory_id, version
),
unfinished_embeddings AS (
    DELETE FROM reembedding WHERE project_id = $1 AND memory_id = ANY ($2::uuid[])
),
last_states AS MATERIALIZED (
    SELECT DISTINCT ON (memory_id)
           memory_id,
           jsonb_strip_nulls(jsonb_build_object(
               'user_id', state -> 'user_id', 'agent_id', state -> 'agent_id',
               'app_id', state -> 'app_id', 'run_id', state -> 'run_id'
           )) AS scope
    FROM memory_events
    WHERE project_id = $1 AND memory_id = ANY ($2::uuid[]) AND state IS NOT NULL
    ORDER BY memory_id, version DESC
),
receipt AS MATERIALIZED (
    SELECT $3::jsonb || jsonb_build_object(
        'memories', (SELECT count(*) FROM deleted_memories),
        'events', (SELECT count(*) FROM deleted_events),
        'graph_memories', (SELECT count(*) FROM deleted_memories)
    ) AS counts
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer, outcome)
    SELECT $1, $4, new_position.position, $5, $6, $7, $8, $9,
$10, $11, $12, $13, $14, $15, $16,
$17, $18, $19, $20, $21, receipt.counts
    FROM new_position, receipt
),
last_events AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        erased_scope
    )
    SELECT $1, last_states.memory_id, newest.version + 1, new_position.position,
           row_number() OVER (ORDER BY last_states.memory_id) - 1, $4, 'DELETE', $18, NULL,
           last_states.scope
    FROM new_position, last_states
    JOIN (
        SELECT memory_id, max(version) AS version FROM deleted_events GROUP BY memory_id
    ) AS newest USING (memory_id)
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $1, last_states.memory_id, new_position.position, new_position.position,
           $14, $19
    FROM last_states, new_position
    ORDER BY last_states.memory_id
    ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
)
SELECT new_position.position, receipt.counts FROM new_position, receipt;

-- name: lock_memory
SELECT FROM memories WHERE project_id = $1 AND memory_id = $2 FOR UPDATE;

-- name: newest_version
SELECT max(version) FROM memory_events WHERE project_id = $1 AND memory_id = $2
HAVING count(state) > 0;

-- name: last_version
SELECT max(version) FROM memory_events WHERE project_id = $1 AND memory_id = $2;
