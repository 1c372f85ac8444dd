-- name: record_calls
WITH given AS MATERIALIZED (
    SELECT *
    FROM jsonb_to_recordset($1) AS given (
        call integer, call_id uuid, method text, user_id text, agent_id text, app_id text,
        run_id text, scope_key bytea, request_id uuid, item integer, payload_digest bytea,
        correlation_id text, embedding_model text, language_model text, prompt_version text,
        call_time timestamptz, traceparent text, key_id text, peer text, input_tokens integer,
        output_tokens integer, notices jsonb, lease uuid, operation_lease uuid, today date,
        event_time timestamptz, expiration_date date, inferred boolean, immutable boolean,
        metadata jsonb
    )
),
retention AS (
    SELECT default_retention_days AS days
    FROM projects
    WHERE project_id = $2 AND default_retention_days > 0
),
input AS MATERIALIZED (
    SELECT *
    FROM ROWS FROM (
        jsonb_to_recordset($3) AS (
            call integer, memory_id uuid, text text, digest bytea, role text, name text,
            categories text[], entities jsonb, relations jsonb, evidence jsonb, ordinal integer
        ),
        unnest($4::halfvec[])
    ) AS input (
        call, memory_id, text, digest, role, name, categories, entities, relations, evidence, ordinal,
        embedding
    )
),
expired_holders AS MATERIALIZED (
    SELECT call
    FROM input
    JOIN given USING (call)
    CROSS JOIN LATERAL (
        SELECT m.memory_id
        FROM memories AS m
        WHERE m.project_id = $2 AND m.scope_key = given.scope_key
          AND m.digest = input.digest AND m.expiration_date < given.today
        OFFSET 0
    ) AS held
),
released_leases AS (
    DELETE FROM scope_leases
    WHERE project_id = $2
      AND scope_key = ANY (ARRAY(SELECT scope_key FROM given WHERE lease IS NOT NULL))
      AND lease = ANY (ARRAY(
          SELECT lease FROM given
          WHERE lease IS NOT NULL AND call NOT IN (SELECT call FROM expired_holders)
      ))
    RETURNING lease
),
completed AS (
    UPDATE operations
    SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
        fault = NULL, call_id = operation_id
    WHERE project_id = $2
      AND operation_id = ANY (ARRAY(SELECT call_id FROM given WHERE operation_lease IS NOT NULL))
      AND lease = ANY (ARRAY(
          SELECT operation_lease FROM given
          WHERE operation_lease IS NOT NULL
            AND call NOT IN (SELECT call FROM expired_holders)
            AND (given.lease IS NULL OR given.lease IN (SELECT lease FROM released_leases))
      ))
    RETURNING operation_id
),
placed AS MATERIALIZED (
    SELECT given.*, nextval('change_position') AS position
    FROM given
    WHERE CASE
        WHEN operation_lease IS NOT NULL THEN call_id IN (SELECT operation_id FROM completed)
        WHEN lease IS NOT NULL THEN lease IN (SELECT lease FROM released_leases)
        ELSE call NOT IN (SELECT call FROM expired_holders)
    END
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer, input_tokens, output_tokens, notices)
    SELECT $2, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key,
           request_id, item, payload_digest, correlation_id, embedding_model, language_model,
           prompt_version, call_time, traceparent, key_id, peer, input_tokens, output_tokens, notices
    FROM placed
),
added_messages AS (
    INSERT INTO messages (
        project_id, call_id, ordinal, message_id, role, name, content, event_time
    )
    SELECT $2, placed.call_id, message.ordinal, message.message_id, message.role, message.name,
           message.content, placed.event_time
    FROM jsonb_to_recordset($5) AS message (
        call integer, ordinal integer, message_id uuid, role text, name text, content text
    )
    JOIN placed USING (call)
),
added AS (
    INSERT INTO memories (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding
    )
    SELECT $2, memory_id, 1, call_id, user_id, agent_id, app_id, run_id, scope_key,
           digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
           evidence, event_time, coalesce(expiration_date, today + retention.days), call_time,
           call_time, embedding
    FROM input JOIN placed USING (call) LEFT JOIN retention ON true
    ORDER BY scope_key, digest, ordinal, memory_id
    ON CONFLICT (project_id, scope_key, digest) DO NOTHING
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest, text,
role, name, inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
expiration_date, create_time, update_time
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $2, added.memory_id, 1, placed.position, input.ordinal, placed.call_id, 'ADD',
           placed.call_time, to_jsonb(added), input.embedding
    FROM added JOIN input USING (memory_id) JOIN placed USING (call)
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $2, added.memory_id, placed.position, placed.position, placed.correlation_id,
           placed.traceparent
    FROM added JOIN placed USING (call_id)
    WHERE added.entities || added.relations <> '[]'
),
given_passages AS MATERIALIZED (
    SELECT passage.*, placed.call_id, placed.scope_key, placed.user_id, placed.agent_id,
           placed.app_id, placed.run_id, placed.call_time, placed.event_time, placed.metadata,
           coalesce(placed.expiration_date, placed.today + retention.days) AS expiration_date
    FROM ROWS FROM (
        jsonb_to_recordset($6) AS (
            call integer, passage_id uuid, message_id uuid, role text, name text, digest bytea,
            sentences text[]
        ),
        unnest($7::halfvec[])
    ) AS passage (
        call, passage_id, message_id, role, name, digest, sentences, embedding
    )
    JOIN placed USING (call)
    LEFT JOIN retention ON true
),
compared AS MATERIALIZED (
    SELECT given.*, former.passage_id AS former_id, former.sentences AS former_sentences,
           former.expiration_date AS former_date,
           former.delete_time IS NOT NULL AND cardinality(former.sentences) > 0 AS was_deleted
    FROM given_passages AS given
    LEFT JOIN LATERAL (
        SELECT p.passage_id, p.sentences, p.expiration_date, p.delete_time
        FROM passages AS p
        WHERE p.project_id = $2 AND p.scope_key = given.scope_key AND p.digest = given.digest
        ORDER BY p.store_time DESC, p.passage_id DESC
        LIMIT 1
    ) AS former ON true
),
new_passages AS MATERIALIZED (
    SELECT compared.*, remaining.sentences AS remaining_sentences
    FROM compared
    CROSS JOIN LATERAL (
        SELECT CASE WHEN former_id IS NULL OR was_deleted THEN sentences ELSE ARRAY(
            SELECT sentence
            FROM unnest(sentences) WITH ORDINALITY AS of_message (sentence, n)
            WHERE sentence = ANY (former_sentences)
            ORDER BY n
        ) END AS sentences
    ) AS remaining
    WHERE former_id IS NULL OR was_deleted OR remaining.sentences <> former_sentences
       OR (former_date < coalesce(expiration_date, 'infinity'::date)
           AND cardinality(remaining.sentences) > 0)
),
replaced_passages AS (
    UPDATE passages AS p
    SET delete_time = (
        SELECT min(new.call_time) FROM new_passages AS new WHERE new.former_id = p.passage_id
    )
    WHERE p.project_id = $2 AND p.delete_time IS NULL
      AND p.passage_id = ANY (ARRAY(SELECT former_id FROM new_passages))
),
added_passages AS (
    INSERT INTO passages (
        project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, sentences, text, role, name, metadata, event_time, expiration_date, create_time,
        store_time, delete_time, embedding
    )
    SELECT $2, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key,
           digest, remaining_sentences,
           btrim(array_to_string(remaining_sentences, ''), E' \t\r\n'), role, name, metadata,
           event_time, expiration_date, call_time, call_time,
           CASE WHEN cardinality(remaining_sentences) = 0 THEN call_time END, embedding
    FROM new_passages
)
SELECT placed.call, placed.position, added.memory_id
FROM placed LEFT JOIN added USING (call_id);
