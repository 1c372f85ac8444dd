-- A whole project as rows of JSON without its id, and back.

-- name: describe
-- What the header of an archive needs. Returns no row if there is no such project.
SELECT coalesce(greatest(
           (SELECT max(position) FROM calls WHERE project_id = :project_id),
           (SELECT max(position) FROM memory_events WHERE project_id = :project_id)
       ), 0) AS last_position,
       (SELECT value ->> 'model' FROM store_settings WHERE name = 'embedder') AS embedding_model
FROM projects
WHERE project_id = :project_id;

-- name: counts
SELECT (SELECT count(*) FROM projects WHERE project_id = :project_id) AS project,
       (SELECT count(*) FROM calls WHERE project_id = :project_id) AS call,
       (SELECT count(*) FROM messages WHERE project_id = :project_id) AS message,
       (SELECT count(*) FROM memory_events WHERE project_id = :project_id) AS event,
       (SELECT count(*) FROM memories WHERE project_id = :project_id) AS memory,
       (SELECT count(*) FROM passages WHERE project_id = :project_id) AS passage;

-- name: read_project
SELECT to_jsonb(row)::text
FROM (
    SELECT custom_instructions, custom_categories, default_retention_days, keeps_passages
    FROM projects
    WHERE project_id = :project_id
) AS row;

-- name: read_call
SELECT (to_jsonb(row) - 'project_id')::text
FROM calls AS row
WHERE project_id = :project_id
ORDER BY position, call_id;

-- name: read_message
SELECT (to_jsonb(row) - 'project_id')::text
FROM messages AS row
WHERE project_id = :project_id
ORDER BY call_id, ordinal;

-- name: read_event
SELECT to_jsonb(row)::text
FROM (
    SELECT memory_id, version, position, ordinal, call_id, type, change_time,
           state - 'project_id' AS state, erased_scope
    FROM memory_events
    WHERE project_id = :project_id
    ORDER BY memory_id, version
) AS row;

-- block: memory_columns
memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest, text, role, name,
inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
expiration_date, create_time, update_time

-- name: read_memory
SELECT to_jsonb(row)::text
FROM (
    SELECT {memory_columns}
    FROM memories
    WHERE project_id = :project_id
    ORDER BY memory_id
) AS row;

-- name: read_memory_embedded
SELECT to_jsonb(row)::text
FROM (
    SELECT {memory_columns}, embedding::text AS embedding
    FROM memories
    WHERE project_id = :project_id
    ORDER BY memory_id
) AS row;

-- name: occupant
-- Locks the project, so that two concurrent imports run one after the other. Returns no row if
-- there is no such project.
SELECT (SELECT value #>> '{}' FROM store_settings WHERE name = 'archive:' || project_id) AS archive,
       EXISTS (SELECT FROM calls WHERE project_id = :project_id) AS is_occupied
FROM projects
WHERE project_id = :project_id
FOR UPDATE;

-- name: occupy
INSERT INTO store_settings (name, value)
VALUES ('archive:' || :project_id::text, to_jsonb(:archive::text))
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: advance
-- Draws positions until they are past the given one. Setting the sequence could hand out a position
-- twice, because others draw at the same time.
SELECT max(nextval('change_position'))
FROM generate_series(1, greatest(:last_position::bigint - nextval('change_position'), 0));

-- name: write_project
UPDATE projects
SET custom_instructions = given.custom_instructions,
    custom_categories = given.custom_categories,
    default_retention_days = given.default_retention_days,
    keeps_passages = coalesce(given.keeps_passages, projects.keeps_passages)
FROM unnest(:rows::text[]) AS line,
     jsonb_populate_record(NULL::projects, line::jsonb) AS given
WHERE projects.project_id = :project_id
  AND (projects.custom_instructions, projects.default_retention_days) = ('', 0)
  AND projects.custom_categories = '[]'
RETURNING 1;

-- name: write_call
INSERT INTO calls (
    project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
    payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time, item,
    outcome, input_tokens, output_tokens, notices, key_id, peer
)
SELECT :project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
       payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
       coalesce(item, 0), outcome, input_tokens, output_tokens, coalesce(notices, '[]'), key_id, peer
FROM set_config('memoir.importing', 'on', true), unnest(:rows::text[]) AS line,
     jsonb_populate_record(NULL::calls, line::jsonb)
ON CONFLICT (project_id, call_id) DO NOTHING
RETURNING 1;

-- name: write_message
INSERT INTO messages (project_id, call_id, ordinal, message_id, role, name, content, event_time)
SELECT :project_id, call_id, ordinal, message_id, role, name, content, event_time
FROM unnest(:rows::text[]) AS line, jsonb_populate_record(NULL::messages, line::jsonb)
ON CONFLICT (project_id, call_id, ordinal) DO NOTHING
RETURNING 1;

-- name: write_event
INSERT INTO memory_events (
    project_id, memory_id, version, position, ordinal, call_id, type, change_time, state,
    erased_scope
)
SELECT :project_id, memory_id, version, position, ordinal, call_id, type, change_time,
       state || jsonb_build_object('project_id', :project_id::text), erased_scope
FROM unnest(:rows::text[]) AS line, jsonb_populate_record(NULL::memory_events, line::jsonb)
ON CONFLICT (project_id, memory_id, version) DO NOTHING
RETURNING 1;

-- block: passage_columns
passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key, digest, sentences, text,
role, name, metadata, event_time, expiration_date, create_time, store_time, delete_time

-- name: read_passage
SELECT to_jsonb(row)::text
FROM (
    SELECT {passage_columns}
    FROM passages
    WHERE project_id = :project_id
    ORDER BY passage_id
) AS row;

-- name: read_passage_embedded
SELECT to_jsonb(row)::text
FROM (
    SELECT {passage_columns}, embedding::text AS embedding
    FROM passages
    WHERE project_id = :project_id
    ORDER BY passage_id
) AS row;

-- name: missing_passage
SELECT line
FROM unnest(:rows::text[]) WITH ORDINALITY AS input (line, new_position),
     jsonb_populate_record(NULL::passages, line::jsonb) AS given
WHERE NOT EXISTS (
    SELECT FROM passages AS held
    WHERE held.project_id = :project_id AND held.passage_id = given.passage_id
)
ORDER BY new_position;

-- name: write_passage
INSERT INTO passages (
    project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key, digest,
    sentences, text, role, name, metadata, event_time, expiration_date, create_time, store_time,
    delete_time, embedding
)
SELECT :project_id, given.passage_id, given.call_id, given.message_id, given.user_id, given.agent_id,
       given.app_id, given.run_id, given.scope_key, given.digest, given.sentences, given.text,
       given.role, given.name, given.metadata, given.event_time, given.expiration_date,
       given.create_time, given.store_time, given.delete_time, input.vector
FROM unnest(:rows::text[], :vectors::halfvec[]) AS input (line, vector),
     jsonb_populate_record(NULL::passages, input.line::jsonb) AS given
ON CONFLICT (project_id, passage_id) DO NOTHING
RETURNING 1;

-- name: missing_memory
SELECT line
FROM unnest(:rows::text[]) WITH ORDINALITY AS input (line, new_position),
     jsonb_populate_record(NULL::memories, line::jsonb) AS given
WHERE NOT EXISTS (
    SELECT FROM memories AS held
    WHERE held.project_id = :project_id AND held.memory_id = given.memory_id
) AND NOT EXISTS (
    SELECT FROM memory_events AS later
    WHERE later.project_id = :project_id AND later.memory_id = given.memory_id
      AND later.version > given.version
)
ORDER BY new_position;

-- name: write_memory
WITH added AS (
    INSERT INTO memories (
        project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key,
        digest, text, role, name, inferred, immutable, metadata, categories, entities, relations,
        evidence, event_time, expiration_date, create_time, update_time, embedding
    )
    SELECT :project_id, given.memory_id, given.version, given.call_id, given.user_id, given.agent_id,
           given.app_id, given.run_id, given.scope_key, given.digest, given.text, given.role,
           given.name, given.inferred, given.immutable, given.metadata, given.categories,
           given.entities, given.relations, given.evidence, given.event_time,
           given.expiration_date, given.create_time, given.update_time, input.vector
    FROM unnest(:rows::text[], :vectors::halfvec[]) AS input (line, vector),
         jsonb_populate_record(NULL::memories, input.line::jsonb) AS given
    ON CONFLICT DO NOTHING
    RETURNING memory_id
),
embedded AS (
    UPDATE memory_events AS e
    SET embedding = input.vector
    FROM unnest(:rows::text[], :vectors::halfvec[]) AS input (line, vector),
         jsonb_populate_record(NULL::memories, input.line::jsonb) AS given
    WHERE e.project_id = :project_id AND e.memory_id = given.memory_id AND e.version = given.version
),
new_position AS MATERIALIZED (SELECT nextval('change_position') AS position)
INSERT INTO graph_outbox (project_id, memory_id, position, first_position, correlation_id)
SELECT :project_id, added.memory_id, new_position.position, new_position.position, 'import'
FROM added, new_position
ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = NULL
RETURNING 1;
