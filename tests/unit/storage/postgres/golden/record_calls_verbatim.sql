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
placed AS MATERIALIZED (
    SELECT given.*, nextval('change_position') AS position
    FROM given
    WHERE call NOT IN (SELECT call FROM expired_holders)
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
)
SELECT placed.call, placed.position, added.memory_id
FROM placed LEFT JOIN added USING (call_id);
