-- name: subgraphs
SELECT claimed.project_id, claimed.memory_id, claimed.correlation_id,
       m.memory_id IS NOT NULL AS found, m.version, m.user_id, m.agent_id, m.app_id, m.run_id,
       m.entities, m.relations, m.event_time, m.expiration_date,
       coalesce(stored.aliases, '[]') AS stored_aliases, stored.space AS stored_space,
       EXISTS (
           SELECT FROM entity_aliases AS a
           WHERE a.project_id = m.project_id AND a.space = m.graph_space
       ) AS has_aliases,
       splits.pairs AS splits, CASE WHEN splits.pairs IS NOT NULL THEN m.text END AS split_text
FROM unnest($1::text[], $2::uuid[], $3::text[])
    AS claimed (project_id, memory_id, correlation_id)
LEFT JOIN memories AS m
    ON m.project_id = claimed.project_id AND m.memory_id = claimed.memory_id
   AND (m.expiration_date IS NULL OR m.expiration_date >= greatest($4, coalesce(
           (SELECT (value #>> '{}')::date FROM store_settings WHERE name = 'graph_day'), $4)))
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('name', a.name, 'alias', a.alias) ORDER BY a.ordinal)
               AS aliases,
           min(a.space) AS space
    FROM entity_aliases AS a
    WHERE a.project_id = claimed.project_id AND a.memory_id = claimed.memory_id
) AS stored ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(s.name, s.other_name)) AS pairs
    FROM entity_splits AS s
    WHERE s.project_id = m.project_id AND s.space = m.graph_space
) AS splits ON true;

-- name: lock_spaces
SELECT pg_advisory_xact_lock(ordered.key)
FROM (
    SELECT DISTINCT hashtextextended(given.project_id || chr(10) || given.space, 20) AS key
    FROM unnest($1::text[], $2::text[]) AS given (project_id, space)
    ORDER BY key
) AS ordered;

-- name: aliases
SELECT a.project_id, a.space, a.memory_id, a.name, a.alias
FROM entity_aliases AS a
JOIN unnest($1::text[], $2::text[]) AS given (project_id, space)
    USING (project_id, space);

-- name: delete_aliases
DELETE FROM entity_aliases AS a
USING unnest($1::text[], $2::uuid[]) AS given (project_id, memory_id)
WHERE a.project_id = given.project_id AND a.memory_id = given.memory_id;

-- name: insert_aliases
INSERT INTO entity_aliases (project_id, memory_id, ordinal, space, name, alias)
SELECT project_id, memory_id, ordinal, space, name, alias
FROM unnest(
    $1::text[], $2::uuid[], $3::integer[], $4::text[], $5::text[],
    $6::text[]
) AS given (project_id, memory_id, ordinal, space, name, alias);

-- name: insert_changes
INSERT INTO entity_alias_changes (project_id, space, change_id, keys)
SELECT project_id, space, change_id, keys
FROM jsonb_to_recordset($1::jsonb)
    AS changed (project_id text, space text, change_id uuid, keys jsonb);

-- name: changes
SELECT c.project_id, c.space, c.change_id, c.keys
FROM entity_alias_changes AS c
JOIN unnest($1::text[], $2::text[]) AS given (project_id, space)
    USING (project_id, space);

-- name: names_in_space
SELECT memory_id,
       jsonb_path_query_array(entities, '$[*].name')
           || jsonb_path_query_array(relations, '$[*].source.name')
           || jsonb_path_query_array(relations, '$[*].target.name') AS names
FROM memories
WHERE project_id = $1
  AND (user_id = $2 OR agent_id = $3 OR app_id = $4 OR run_id = $5)
  AND graph_space = $6
  AND entities || relations <> '[]';

-- name: delete_change
DELETE FROM entity_alias_changes
WHERE project_id = $1 AND space = $2 AND change_id = $3;

-- name: splits
SELECT space, name, other_name, create_time
FROM entity_splits
WHERE project_id = $1 AND ($2::text[] IS NULL OR space = ANY ($2))
  AND create_time <= $3
ORDER BY space, name, other_name;

-- name: split
INSERT INTO entity_splits (project_id, space, split_id, name, other_name, create_time)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING true;

-- name: unsplit
DELETE FROM entity_splits WHERE project_id = $1 AND space = $2 AND split_id = $3
RETURNING true;

-- name: alias_counts
SELECT space, name, alias, count(*) AS memories
FROM entity_aliases
WHERE project_id = $1 AND ($2::text IS NULL OR space = $2)
GROUP BY space, name, alias
ORDER BY space, name, alias;

-- name: memories_with_aliases
SELECT memory_id, entities
FROM memories
WHERE project_id = $1
  AND (user_id = $2 OR agent_id = $3 OR app_id = $4 OR run_id = $5)
  AND graph_space = $6
  AND jsonb_path_exists(entities, '$[*].aliases[*]');
