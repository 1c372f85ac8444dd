-- name: stated
SELECT r.memory_id, r.ordinal, r.event_time, m.relations -> (r.ordinal - 1) AS relation
FROM unnest($1::uuid[], $2::integer[]) AS given (memory_id, ordinal)
JOIN memory_relations AS r
    ON r.project_id = $3 AND r.memory_id = given.memory_id AND r.ordinal = given.ordinal
JOIN memories AS m ON m.project_id = $3 AND m.memory_id = r.memory_id;
