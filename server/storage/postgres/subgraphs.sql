-- The required content of the graph: the current states of memories, and the aliases and splits of their
-- spaces.

-- name: subgraphs
-- `graph_day` is the latest day of any server, so that a server with a late clock does not restore expired
-- memories.
SELECT claimed.project_id, claimed.memory_id, claimed.correlation_id,
       m.memory_id IS NOT NULL AS found, m.version, m.user_id, m.agent_id, m.app_id, m.run_id,
       m.entities, m.relations, m.event_time, m.expiration_date,
       coalesce(stored.aliases, '[]') AS stored_aliases, stored.space AS stored_space,
       EXISTS (
           SELECT FROM entity_aliases AS a
           WHERE a.project_id = m.project_id AND a.space = m.graph_space
       ) AS has_aliases,
       splits.pairs AS splits, CASE WHEN splits.pairs IS NOT NULL THEN m.text END AS split_text
FROM unnest(:project_ids::text[], :memory_ids::uuid[], :correlation_ids::text[])
    AS claimed (project_id, memory_id, correlation_id)
LEFT JOIN memories AS m
    ON m.project_id = claimed.project_id AND m.memory_id = claimed.memory_id
   AND (m.expiration_date IS NULL OR m.expiration_date >= greatest(:day, coalesce(
           (SELECT (value #>> '{}')::date FROM store_settings WHERE name = 'graph_day'), :day)))
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
-- In one order, so that two projectors cannot deadlock.
SELECT pg_advisory_xact_lock(ordered.key)
FROM (
    SELECT DISTINCT hashtextextended(given.project_id || chr(10) || given.space, 20) AS key
    FROM unnest(:project_ids::text[], :spaces::text[]) AS given (project_id, space)
    ORDER BY key
) AS ordered;

-- name: aliases
SELECT a.project_id, a.space, a.memory_id, a.name, a.alias
FROM entity_aliases AS a
JOIN unnest(:project_ids::text[], :spaces::text[]) AS given (project_id, space)
    USING (project_id, space);

-- name: delete_aliases
DELETE FROM entity_aliases AS a
USING unnest(:project_ids::text[], :memory_ids::uuid[]) AS given (project_id, memory_id)
WHERE a.project_id = given.project_id AND a.memory_id = given.memory_id;

-- name: insert_aliases
INSERT INTO entity_aliases (project_id, memory_id, ordinal, space, name, alias)
SELECT project_id, memory_id, ordinal, space, name, alias
FROM unnest(
    :project_ids::text[], :memory_ids::uuid[], :ordinals::integer[], :spaces::text[], :names::text[],
    :aliases::text[]
) AS given (project_id, memory_id, ordinal, space, name, alias);

-- name: insert_changes
INSERT INTO entity_alias_changes (project_id, space, change_id, keys)
SELECT project_id, space, change_id, keys
FROM jsonb_to_recordset(:changes::jsonb)
    AS changed (project_id text, space text, change_id uuid, keys jsonb);

-- name: changes
SELECT c.project_id, c.space, c.change_id, c.keys
FROM entity_alias_changes AS c
JOIN unnest(:project_ids::text[], :spaces::text[]) AS given (project_id, space)
    USING (project_id, space);

-- name: names_in_space
-- Only the scope field that defines the space is not null.
SELECT memory_id,
       jsonb_path_query_array(entities, '$[*].name')
           || jsonb_path_query_array(relations, '$[*].source.name')
           || jsonb_path_query_array(relations, '$[*].target.name') AS names
FROM memories
WHERE project_id = :project_id
  AND (user_id = :user_id OR agent_id = :agent_id OR app_id = :app_id OR run_id = :run_id)
  AND graph_space = :space
  AND entities || relations <> '[]';

-- name: delete_change
DELETE FROM entity_alias_changes
WHERE project_id = :project_id AND space = :space AND change_id = :change_id;

-- name: splits
SELECT space, name, other_name, create_time
FROM entity_splits
WHERE project_id = :project_id AND (:spaces::text[] IS NULL OR space = ANY (:spaces))
  AND create_time <= :time
ORDER BY space, name, other_name;

-- name: split
INSERT INTO entity_splits (project_id, space, split_id, name, other_name, create_time)
VALUES (:project_id, :space, :split_id, :name, :other_name, :create_time)
ON CONFLICT DO NOTHING
RETURNING true;

-- name: unsplit
DELETE FROM entity_splits WHERE project_id = :project_id AND space = :space AND split_id = :split_id
RETURNING true;

-- name: alias_counts
-- Counts the memories that state each alias, even if it joins no names.
SELECT space, name, alias, count(*) AS memories
FROM entity_aliases
WHERE project_id = :project_id AND (:space::text IS NULL OR space = :space)
GROUP BY space, name, alias
ORDER BY space, name, alias;

-- name: memories_with_aliases
-- Only the scope field that defines the space is not null.
SELECT memory_id, entities
FROM memories
WHERE project_id = :project_id
  AND (user_id = :user_id OR agent_id = :agent_id OR app_id = :app_id OR run_id = :run_id)
  AND graph_space = :space
  AND jsonb_path_exists(entities, '$[*].aliases[*]');
