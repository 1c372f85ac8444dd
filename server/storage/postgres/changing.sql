-- What statements that change memories have in common. The call's parameters come first.

-- name: call_columns
project_id, call_id, position, method, user_id, agent_id, app_id, run_id, scope_key, request_id,
item, payload_digest, correlation_id, embedding_model, language_model, prompt_version, call_time,
traceparent

-- name: call_values
$1, $2, new_position.position, $3, $4, $5, $6, $7, $8, $9,
$10, $11, $12, $13, $14, $15, $16,
$17

-- name: enqueue
INSERT INTO graph_outbox (
    project_id, memory_id, position, first_position, correlation_id, traceparent
)

-- name: enqueue_again
-- What waits for the graph already is brought there in its newest state, for the newest call.
ON CONFLICT (project_id, memory_id) DO UPDATE SET
    position = greatest(graph_outbox.position, excluded.position),
    correlation_id = excluded.correlation_id,
    traceparent = excluded.traceparent
