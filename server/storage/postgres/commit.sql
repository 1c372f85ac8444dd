-- Writing: a call with all its effects. Some names in braces stand for the blocks of `changing.sql`.

-- name: record_call
-- One statement writes the call, its messages, its new memories, their history and their outbox
-- rows, so that the usual add is one round trip and one transaction. Nothing is written when an
-- expired memory holds one of the digests: the caller purges it and comes again. Nor is anything
-- written when the scope's lease, if one is named, is another's by now. Where the
-- call has passages, the block of that name goes before the last part.
WITH input AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $23::uuid[], $24::text[], $25::bytea[], $26::halfvec[], $27::text[], $28::text[],
        $29::jsonb[], $30::integer[]
    ) AS input (memory_id, text, digest, embedding, role, name, details, ordinal)
),
-- Until when the project keeps memories of which a call does not say it.
retention AS (
    SELECT $31::date + default_retention_days AS last_day
    FROM projects
    WHERE project_id = $1 AND default_retention_days > 0
),
in_the_way AS MATERIALIZED (
    -- One look at the unique index for each digest (OFFSET 0 keeps it so). A join would read the
    -- whole scope while the table has no statistics yet, and go on so as long as the plan is kept.
    SELECT held.memory_id
    FROM input
    CROSS JOIN LATERAL (
        SELECT m.memory_id
        FROM memories AS m
        WHERE m.project_id = $1 AND m.scope_key = $8 AND m.digest = input.digest
          AND m.expiration_date < $31
        OFFSET 0
    ) AS held
),
released_lease AS (
    -- The lease ends with the commit. Until then its row is locked, so that nobody takes the lease
    -- over and decides on a state without this call's changes.
    DELETE FROM scope_leases
    WHERE project_id = $1 AND scope_key = $8 AND lease = $39 AND NOT EXISTS (SELECT FROM in_the_way)
    RETURNING lease
),
allowed AS MATERIALIZED (
    SELECT
    WHERE NOT EXISTS (SELECT FROM in_the_way)
      AND ($39::uuid IS NULL OR EXISTS (SELECT FROM released_lease))
),
completed AS (
    -- An operation is done in the transaction that has its effect: never twice, never without it.
    UPDATE operations
    SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
        fault = NULL, call_id = $2
    WHERE project_id = $1 AND operation_id = $2 AND lease = $40::uuid
      AND EXISTS (SELECT FROM allowed)
    RETURNING operation_id
),
new_position AS MATERIALIZED (
    SELECT nextval('change_position') AS position
    FROM allowed
    WHERE $40::uuid IS NULL OR EXISTS (SELECT FROM completed)
),
recorded AS (
    INSERT INTO calls ({call_columns}, input_tokens, output_tokens, notices)
    SELECT {call_values}, $37, $38, $41
    FROM new_position
),
added_messages AS (
    INSERT INTO messages (
        project_id, call_id, ordinal, message_id, role, name, content, event_time
    )
    SELECT $1, $2, message.ordinal, message.message_id, message.role, message.name,
           message.content, $18
    FROM new_position, unnest($32::integer[], $33::uuid[], $34::text[], $35::text[], $36::text[])
        AS message (ordinal, message_id, role, name, content)
),
added AS (
    INSERT INTO memories (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding, ordinal
    )
    SELECT $1, input.memory_id, 1, $2, $4, $5, $6, $7, $8,
           input.digest, input.text, input.role, input.name, $19, $20, $21,
           ARRAY(SELECT jsonb_array_elements_text(input.details -> 'categories')),
           input.details -> 'entities', input.details -> 'relations', input.details -> 'evidence',
           $18, coalesce($22::date, retention.last_day), $16, $16, input.embedding, input.ordinal
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
    SELECT $1, added.memory_id, 1, new_position.position, input.ordinal, $2, 'ADD', $16, to_jsonb(added),
           input.embedding
    FROM new_position, added JOIN input USING (memory_id)
),
enqueued AS (
    -- The graph holds nothing of a memory without names.
    {enqueue}
    SELECT $1, added.memory_id, new_position.position, new_position.position, $12, $17
    FROM new_position, added
    WHERE added.entities || added.relations <> '[]'
){passages}
SELECT new_position.position, added.memory_id
FROM new_position LEFT JOIN added ON true;

-- name: passages
,
told AS MATERIALIZED (
    SELECT passage_id, message_id, passage.ordinal, role, name, digest, embedding,
           ARRAY(
               SELECT sentence
               FROM jsonb_array_elements_text(left_over -> 'sentences')
                   WITH ORDINALITY AS of_message (sentence, n)
               ORDER BY n
           ) AS sentences,
           coalesce($51::date, retention.last_day) AS expiration_date
    FROM unnest(
        $42::uuid[], $43::uuid[], $44::integer[], $45::text[], $46::text[], $47::bytea[],
        $48::jsonb[], $49::halfvec[]
    ) AS passage (passage_id, message_id, ordinal, role, name, digest, left_over, embedding)
    LEFT JOIN retention ON true
),
-- A message that was sent before is compared with what was left of it last: a sentence that led to a
-- memory then, or was taken out with one, stays out. What was deleted whole is told anew.
compared AS MATERIALIZED (
    SELECT told.*, former.passage_id AS former_id, former.sentences AS former_sentences,
           former.expiration_date AS former_date,
           former.delete_time IS NOT NULL AND cardinality(former.sentences) > 0 AS was_deleted
    FROM told
    LEFT JOIN LATERAL (
        SELECT p.passage_id, p.sentences, p.expiration_date, p.delete_time
        FROM passages AS p
        WHERE p.project_id = $1 AND p.scope_key = $8 AND p.digest = told.digest
        ORDER BY p.store_time DESC, p.passage_id DESC
        LIMIT 1
    ) AS former ON true
),
narrowed AS MATERIALIZED (
    SELECT compared.passage_id, message_id, ordinal, role, name, digest, embedding,
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
fresh AS MATERIALIZED (
    SELECT *
    FROM narrowed
    WHERE former_id IS NULL OR was_deleted OR sentences <> former_sentences
       OR (lasts_longer AND cardinality(sentences) > 0)
),
replaced AS (
    UPDATE passages AS p
    SET delete_time = $16
    FROM new_position, fresh
    WHERE p.project_id = $1 AND p.passage_id = fresh.former_id AND p.delete_time IS NULL
),
kept AS (
    INSERT INTO passages (
        project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, sentences, text, role, name, metadata, event_time, expiration_date, create_time,
        store_time, delete_time, ordinal, embedding
    )
    SELECT $1, fresh.passage_id, $2, fresh.message_id, $4, $5, $6, $7, $8,
           fresh.digest, fresh.sentences,
           btrim(array_to_string(fresh.sentences, ''), E' \t\r\n'), fresh.role, fresh.name, $50,
           $18, fresh.expiration_date, $16, $16,
           CASE WHEN cardinality(fresh.sentences) = 0 THEN $16 END,
           fresh.ordinal, fresh.embedding
    FROM new_position, fresh
)

-- name: purge_expired
-- Deletes the expired memories of a scope that hold one of the digests, with history and outbox.
-- The ordinal -1 keeps this out of what the call answers when it comes again.
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = $1 AND scope_key = $2 AND digest = ANY ($3::bytea[])
      AND expiration_date < $4
    RETURNING memory_id, version
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, deleted.memory_id, deleted.version + 1, new_position.position, -1, $5, 'DELETE', $6, NULL
    FROM deleted, new_position
)
{enqueue}
SELECT $1, deleted.memory_id, new_position.position, new_position.position, $7, $8
FROM deleted, new_position
ORDER BY deleted.memory_id
{enqueue_again};

-- name: update_memory
-- Returns no row unless the memory is in the state that the change was decided on.
WITH updated AS (
    UPDATE memories SET
        version = version + 1, call_id = $4, text = $5, digest = $6, embedding = $7,
        metadata = metadata || $8, categories = $9, entities = $10, relations = $11,
        evidence = $12, event_time = $13, expiration_date = coalesce($14, expiration_date), update_time = $15,
        role = $16, name = $17
    WHERE project_id = $1 AND memory_id = $2 AND version = $3 AND NOT immutable
    RETURNING project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id,
              scope_key, digest, text, role, name, inferred, immutable, metadata, categories,
              entities, relations, evidence, event_time, expiration_date, create_time, update_time
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT $1, $2, version, $18, $19, $4, 'UPDATE', $15, to_jsonb(updated), $7
    FROM updated
),
enqueued AS (
    {enqueue}
    SELECT $1, $2, $18, $18, $20, $21
    FROM updated
    {enqueue_again}
)
SELECT version FROM updated;

-- name: delete_memory
-- Returns no row unless the memory is in the state that the deletion was decided on.
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = $1 AND memory_id = $2 AND version = $3
    RETURNING memory_id, version
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT $1, $2, version + 1, $5, $6, $4, 'DELETE', $7, NULL
    FROM deleted
),
enqueued AS (
    {enqueue}
    SELECT $1, $2, $5, $5, $8, $9
    FROM deleted
    {enqueue_again}
)
SELECT version FROM deleted;

-- name: forget_passages
-- Those of this call too: an answer that repeats what is to be forgotten goes with it.
SELECT take_out_of_passages($1, $2, $3, NULL, NULL, $4);
