-- name: record_call
WITH input AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::uuid[], $2::text[], $3::bytea[], $4::halfvec[],
        $5::text[], $6::text[], $7::jsonb[], $8::integer[]
    ) AS input (memory_id, text, digest, embedding, role, name, details, ordinal)
),
retention AS (
    SELECT $9::date + default_retention_days AS last_day
    FROM projects
    WHERE project_id = $10 AND default_retention_days > 0
),
expired_holders AS MATERIALIZED (
    SELECT held.memory_id
    FROM input
    CROSS JOIN LATERAL (
        SELECT m.memory_id
        FROM memories AS m
        WHERE m.project_id = $10 AND m.scope_key = $11 AND m.digest = input.digest
          AND m.expiration_date < $9
        OFFSET 0
    ) AS held
),
released_lease AS (
    DELETE FROM scope_leases
    WHERE project_id = $10 AND scope_key = $11 AND lease = $12
      AND NOT EXISTS (SELECT FROM expired_holders)
    RETURNING lease
),
allowed AS MATERIALIZED (
    SELECT
    WHERE NOT EXISTS (SELECT FROM expired_holders)
      AND ($12::uuid IS NULL OR EXISTS (SELECT FROM released_lease))
),
completed AS (
    UPDATE operations
    SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
        fault = NULL, call_id = $13
    WHERE project_id = $10 AND operation_id = $13 AND lease = $14::uuid
      AND EXISTS (SELECT FROM allowed)
    RETURNING operation_id
),
new_position AS MATERIALIZED (
    SELECT nextval('change_position') AS position
    FROM allowed
    WHERE $14::uuid IS NULL OR EXISTS (SELECT FROM completed)
),
recorded AS (
    INSERT INTO calls (project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer, input_tokens, output_tokens, notices)
    SELECT $10, $13, new_position.position, $15, $16, $17, $18, $19,
$11, $20,
$21, $22, $23, $24, $25, $26, $27,
$28, $29, $30, $31, $32, $33
    FROM new_position
),
added_messages AS (
    INSERT INTO messages (
        project_id, call_id, ordinal, message_id, role, name, content, event_time
    )
    SELECT $10, $13, message.ordinal, message.message_id, message.role, message.name,
           message.content, $34
    FROM new_position, unnest(
        $35::integer[], $36::uuid[], $37::text[],
        $38::text[], $39::text[]
    ) AS message (ordinal, message_id, role, name, content)
),
added AS (
    INSERT INTO memories (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding
    )
    SELECT $10, input.memory_id, 1, $13, $16, $17, $18, $19, $11,
           input.digest, input.text, input.role, input.name, $40, $41, $42,
           ARRAY(SELECT jsonb_array_elements_text(input.details -> 'categories')),
           input.details -> 'entities', input.details -> 'relations', input.details -> 'evidence',
           $34, coalesce($43::date, retention.last_day), $27, $27,
           input.embedding
    FROM new_position, input LEFT JOIN retention ON true
    ORDER BY input.ordinal
    ON CONFLICT (project_id, scope_key, digest) DO NOTHING
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id,
              scope_key, digest, text, role, name, inferred, immutable, metadata, categories,
              entities, relations, evidence, event_time, expiration_date, create_time, update_time
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $10, added.memory_id, 1, new_position.position, input.ordinal, $13, 'ADD',
           $27, to_jsonb(added),
           input.embedding
    FROM new_position, added JOIN input USING (memory_id)
),
enqueued AS (
    INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)
    SELECT $10, added.memory_id, new_position.position, new_position.position, $23,
           $28
    FROM new_position, added
    WHERE added.entities || added.relations <> '[]'
),
given_passages AS MATERIALIZED (
    SELECT passage_id, message_id, role, name, digest, embedding,
           ARRAY(
               SELECT sentence
               FROM jsonb_array_elements_text(passage.content -> 'sentences')
                   WITH ORDINALITY AS of_message (sentence, n)
               ORDER BY n
           ) AS sentences,
           coalesce($44::date, retention.last_day) AS expiration_date
    FROM unnest(
        $45::uuid[], $46::uuid[], $47::text[], $48::text[], $49::bytea[],
        $50::jsonb[], $51::halfvec[]
    ) AS passage (passage_id, message_id, role, name, digest, content, embedding)
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
        WHERE p.project_id = $10 AND p.scope_key = $11 AND p.digest = given.digest
        ORDER BY p.store_time DESC, p.passage_id DESC
        LIMIT 1
    ) AS former ON true
),
remaining AS MATERIALIZED (
    SELECT compared.passage_id, message_id, role, name, digest, embedding,
           expiration_date, former_id, former_sentences, was_deleted,
           former_date < coalesce(expiration_date, 'infinity'::date) AS lasts_longer,
           CASE WHEN former_id IS NULL OR was_deleted THEN sentences ELSE ARRAY(
               SELECT sentence
               FROM unnest(sentences) WITH ORDINALITY AS of_message (sentence, n)
               WHERE sentence = ANY (former_sentences)
               ORDER BY n
           ) END AS sentences
    FROM compared
),
new_passages AS MATERIALIZED (
    SELECT *
    FROM remaining
    WHERE former_id IS NULL OR was_deleted OR sentences <> former_sentences
       OR (lasts_longer AND cardinality(sentences) > 0)
),
replaced_passages AS (
    UPDATE passages AS p
    SET delete_time = $27
    FROM new_position, new_passages AS new
    WHERE p.project_id = $10 AND p.passage_id = new.former_id AND p.delete_time IS NULL
),
added_passages AS (
    INSERT INTO passages (
        project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, sentences, text, role, name, metadata, event_time, expiration_date, create_time,
        store_time, delete_time, embedding
    )
    SELECT $10, new.passage_id, $13, new.message_id, $16, $17, $18,
           $19, $11,
           new.digest, new.sentences,
           btrim(array_to_string(new.sentences, ''), E' \t\r\n'), new.role, new.name, $52,
           $34, new.expiration_date, $27, $27,
           CASE WHEN cardinality(new.sentences) = 0 THEN $27 END,
           new.embedding
    FROM new_position, new_passages AS new
)
SELECT new_position.position, added.memory_id
FROM new_position LEFT JOIN added ON true;
