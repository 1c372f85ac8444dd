-- name: calls
SELECT c.project_id, c.call_id, c.method, c.call_time AS time, c.request_id, c.embedding_model,
       c.language_model, c.input_tokens, c.output_tokens, c.key_id, c.peer,
       (SELECT count(*) FROM messages AS m
        WHERE m.project_id = c.project_id AND m.call_id = c.call_id) AS messages
FROM calls AS c
WHERE c.correlation_id = $1 AND ($2::text IS NULL OR c.project_id = $2)
ORDER BY c.call_time, c.position
LIMIT 1000;

-- name: changes
SELECT e.project_id, e.call_id, e.memory_id, e.type, e.version, e.change_time AS time,
       o.memory_id IS NULL AS in_graph,
       coalesce(o.given_up_position = o.position, false) AS given_up,
       o.fault
FROM unnest($1::text[], $2::uuid[]) AS c (project_id, call_id)
JOIN memory_events AS e USING (project_id, call_id)
LEFT JOIN graph_outbox AS o
    ON o.project_id = e.project_id AND o.memory_id = e.memory_id AND o.first_position <= e.position
ORDER BY e.position, e.ordinal;

-- name: operations
SELECT project_id, operation_id, state, attempts, create_time, start_time, end_time, fault, key_id, peer
FROM operations
WHERE correlation_id = $1 AND ($2::text IS NULL OR project_id = $2)
ORDER BY position
LIMIT 1000;
