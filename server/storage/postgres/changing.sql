-- Blocks that the statements which change memories share. Their parameters are those of the call.

-- block: call_columns
project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent, key_id, peer

-- block: call_values
:project_id, :call_id, new_position.position, :method, :user_id, :agent_id, :app_id, :run_id,
:scope_key, :request_id, :item, :payload_digest, :correlation_id, :embedding_model, :language_model,
:prompt_version, :call_time, :traceparent, :key_id, :peer

-- block: enqueue
INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)

-- block: enqueue_again
-- A memory that already waits for the graph keeps its row, which now belongs to the newest call. The
-- position of the row always grows, even if that of the call is lower: otherwise a projector that has
-- claimed the row would not notice the change.
ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position + 1, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent

-- block: state
-- The value of `memory_events.state` for a memory.
project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest, text,
role, name, inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
expiration_date, create_time, update_time

-- block: had_subgraph
-- Whether the graph may contain a deleted memory: not if it had no entities and relations, and no earlier
-- state of it waits for the graph or was given up.
(entities || relations <> '[]' OR EXISTS (
    SELECT FROM graph_outbox AS o
    WHERE o.project_id = memories.project_id AND o.memory_id = memories.memory_id
)) AS had_subgraph
