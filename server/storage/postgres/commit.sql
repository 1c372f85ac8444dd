-- Writing a call with all its effects. Blocks that are not here are in changing.sql.

-- name: record_call (passage_ctes)
-- Writes the call, its messages, its new memories with their history and outbox rows, and, with the
-- block `passages` in the slot `passage_ctes`, its passages: the usual add is one round trip and
-- one transaction. Returns the position and the id of each memory that was added, or no row, and
-- then nothing was written: because an expired memory holds one of the digests (the caller purges
-- it and tries again), or because the lease of the scope or of the operation has been taken over.
-- It costs one probe of the unique index for each new memory and each passage, and the inserts;
-- never anything that grows with the scope or the table.
-- tests/integration/postgres/test_commit_plans.py holds that, with and without statistics.
WITH input AS MATERIALIZED (
    SELECT *
    FROM unnest(
        :memory_ids::uuid[], :texts::text[], :digests::bytea[], :embeddings::halfvec[],
        :roles::text[], :names::text[], :details::jsonb[], :ordinals::integer[]
    ) AS input (memory_id, text, digest, embedding, role, name, details, ordinal)
),
-- The last day of memories for which the call sets no expiration date, if the project limits them.
retention AS (
    SELECT :today::date + default_retention_days AS last_day
    FROM projects
    WHERE project_id = :project_id AND default_retention_days > 0
),
expired_holders AS MATERIALIZED (
    -- OFFSET 0 makes this one probe of the unique index for each digest. As a join it would read the
    -- whole scope while the table has no statistics, and PostgreSQL would keep that plan.
    SELECT held.memory_id
    FROM input
    CROSS JOIN LATERAL (
        SELECT m.memory_id
        FROM memories AS m
        WHERE m.project_id = :project_id AND m.scope_key = :scope_key AND m.digest = input.digest
          AND m.expiration_date < :today
        OFFSET 0
    ) AS held
),
released_lease AS (
    -- The lease ends with the commit. Until then its row is locked, so that nobody can take the lease
    -- over and work on a state that lacks the changes of this call.
    DELETE FROM scope_leases
    WHERE project_id = :project_id AND scope_key = :scope_key AND lease = :lease
      AND NOT EXISTS (SELECT FROM expired_holders)
    RETURNING lease
),
allowed AS MATERIALIZED (
    SELECT
    WHERE NOT EXISTS (SELECT FROM expired_holders)
      AND (:lease::uuid IS NULL OR EXISTS (SELECT FROM released_lease))
),
completed AS (
    -- The operation ends in the transaction that has its effect, so it takes effect exactly once.
    UPDATE operations
    SET state = 'SUCCEEDED', end_time = clock_timestamp(), lease = NULL, payload = NULL,
        fault = NULL, call_id = :call_id
    WHERE project_id = :project_id AND operation_id = :call_id AND lease = :operation_lease::uuid
      AND EXISTS (SELECT FROM allowed)
    RETURNING operation_id
),
new_position AS MATERIALIZED (
    SELECT nextval('change_position') AS position
    FROM allowed
    WHERE :operation_lease::uuid IS NULL OR EXISTS (SELECT FROM completed)
),
recorded AS (
    INSERT INTO calls ({call_columns}, input_tokens, output_tokens, notices)
    SELECT {call_values}, :input_tokens, :output_tokens, :notices
    FROM new_position
),
added_messages AS (
    INSERT INTO messages (
        project_id, call_id, ordinal, message_id, role, name, content, event_time
    )
    SELECT :project_id, :call_id, message.ordinal, message.message_id, message.role, message.name,
           message.content, :event_time
    FROM new_position, unnest(
        :message_ordinals::integer[], :message_ids::uuid[], :message_roles::text[],
        :message_names::text[], :message_contents::text[]
    ) AS message (ordinal, message_id, role, name, content)
),
added AS (
    INSERT INTO memories (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding
    )
    SELECT :project_id, input.memory_id, 1, :call_id, :user_id, :agent_id, :app_id, :run_id, :scope_key,
           input.digest, input.text, input.role, input.name, :inferred, :immutable, :metadata,
           ARRAY(SELECT jsonb_array_elements_text(input.details -> 'categories')),
           input.details -> 'entities', input.details -> 'relations', input.details -> 'evidence',
           :event_time, coalesce(:expiration_date::date, retention.last_day), :call_time, :call_time,
           input.embedding
    FROM new_position, input LEFT JOIN retention ON true
    ORDER BY input.ordinal
    ON CONFLICT (project_id, scope_key, digest) DO NOTHING
    RETURNING {state}
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT :project_id, added.memory_id, 1, new_position.position, input.ordinal, :call_id, 'ADD',
           :call_time, to_jsonb(added),
           input.embedding
    FROM new_position, added JOIN input USING (memory_id)
),
enqueued AS (
    -- A memory without entities and relations has no subgraph.
    {enqueue}
    SELECT :project_id, added.memory_id, new_position.position, new_position.position, :correlation_id,
           :traceparent
    FROM new_position, added
    WHERE added.entities || added.relations <> '[]'
){passage_ctes}
SELECT new_position.position, added.memory_id
FROM new_position LEFT JOIN added ON true;

-- block: passages
-- Continues the list of CTEs of `record_call`: an earlier passage of a message is replaced if less of
-- the message remains, or if the new one is kept for longer.
,
given_passages AS MATERIALIZED (
    SELECT passage_id, message_id, role, name, digest, embedding,
           ARRAY(
               SELECT sentence
               FROM jsonb_array_elements_text(passage.content -> 'sentences')
                   WITH ORDINALITY AS of_message (sentence, n)
               ORDER BY n
           ) AS sentences,
           coalesce(:passage_expiration_date::date, retention.last_day) AS expiration_date
    FROM unnest(
        :passage_ids::uuid[], :passage_message_ids::uuid[], :passage_roles::text[], :passage_names::text[], :passage_digests::bytea[],
        :passage_sentences::jsonb[], :passage_embeddings::halfvec[]
    ) AS passage (passage_id, message_id, role, name, digest, content, embedding)
    LEFT JOIN retention ON true
),
-- A message that was sent before is compared with its newest passage: a sentence that became a memory
-- then, or was deleted with one, stays out. A passage that was deleted as a whole counts as new.
compared AS MATERIALIZED (
    SELECT given.*, former.passage_id AS former_id, former.sentences AS former_sentences,
           former.expiration_date AS former_date,
           former.delete_time IS NOT NULL AND cardinality(former.sentences) > 0 AS was_deleted
    FROM given_passages AS given
    LEFT JOIN LATERAL (
        SELECT p.passage_id, p.sentences, p.expiration_date, p.delete_time
        FROM passages AS p
        WHERE p.project_id = :project_id AND p.scope_key = :scope_key AND p.digest = given.digest
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
    SET delete_time = :call_time
    FROM new_position, new_passages AS new
    WHERE p.project_id = :project_id AND p.passage_id = new.former_id AND p.delete_time IS NULL
),
added_passages AS (
    INSERT INTO passages (
        project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, sentences, text, role, name, metadata, event_time, expiration_date, create_time,
        store_time, delete_time, embedding
    )
    SELECT :project_id, new.passage_id, :call_id, new.message_id, :user_id, :agent_id, :app_id,
           :run_id, :scope_key,
           new.digest, new.sentences,
           btrim(array_to_string(new.sentences, ''), E' \t\r\n'), new.role, new.name, :passage_metadata,
           :event_time, new.expiration_date, :call_time, :call_time,
           CASE WHEN cardinality(new.sentences) = 0 THEN :call_time END,
           new.embedding
    FROM new_position, new_passages AS new
)

-- name: purge_expired
-- Deletes the expired memories of a scope that hold one of the digests. The ordinal -1 keeps these
-- deletions out of the response of the call, which lists only its own changes.
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = :project_id AND scope_key = :scope_key AND digest = ANY (:digests::bytea[])
      AND expiration_date < :today
    RETURNING memory_id, version, {had_subgraph}
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT :project_id, deleted.memory_id, deleted.version + 1, new_position.position, -1, :call_id,
           'DELETE', :call_time, NULL
    FROM deleted, new_position
)
{enqueue}
SELECT :project_id, deleted.memory_id, new_position.position, new_position.position, :correlation_id,
       :traceparent
FROM deleted, new_position
WHERE had_subgraph
ORDER BY deleted.memory_id
{enqueue_again};

-- name: update_memory
-- Returns no row unless the memory still has the version that the change is based on.
WITH updated AS (
    UPDATE memories SET
        version = version + 1, call_id = :call_id, text = :text, digest = :digest,
        embedding = :embedding, metadata = metadata || :metadata, categories = :categories,
        entities = :entities, relations = :relations, evidence = :evidence,
        event_time = :event_time, update_time = :call_time, role = :role, name = :name,
        expiration_date = coalesce(:expiration_date, expiration_date)
    WHERE project_id = :project_id AND memory_id = :memory_id AND version = :version AND NOT immutable
    RETURNING {state}
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
        embedding
    )
    SELECT :project_id, :memory_id, version, :position, :ordinal, :call_id, 'UPDATE', :call_time,
           to_jsonb(updated), :embedding
    FROM updated
),
enqueued AS (
    {enqueue}
    SELECT :project_id, :memory_id, :position, :position, :correlation_id, :traceparent
    FROM updated
    {enqueue_again}
)
SELECT version FROM updated;

-- name: delete_memory
-- Returns no row unless the memory still has the version that the deletion is based on.
WITH deleted AS (
    DELETE FROM memories
    WHERE project_id = :project_id AND memory_id = :memory_id AND version = :version
    RETURNING memory_id, version, {had_subgraph}
),
history AS (
    INSERT INTO memory_events (
        project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
    )
    SELECT :project_id, :memory_id, version + 1, :position, :ordinal, :call_id, 'DELETE', :call_time,
           NULL
    FROM deleted
),
enqueued AS (
    {enqueue}
    SELECT :project_id, :memory_id, :position, :position, :correlation_id, :traceparent
    FROM deleted
    WHERE had_subgraph
    {enqueue_again}
)
SELECT version FROM deleted;

-- name: forget_passages
-- Covers the passages of this call too: a reply that repeats what is to be forgotten is forgotten
-- with it.
SELECT take_out_of_passages(:project_id, :scope_key, :forget_requests, NULL, NULL, :call_time);
