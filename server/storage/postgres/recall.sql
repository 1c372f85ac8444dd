-- Finds the relations of the entities in a question, and those one hop further. Only memories of the scope
-- count, also in the numbers of relations. The slot `scope` takes a condition of filters.py.

-- name: recall (scope)
-- The relations of the named entities (`near`) and those one hop further (`far`), each with the memory
-- that states it and the numbers of relations of the entities on the path: the fewer, the stronger the
-- clue. `entity` are the named entities with relations, those with the fewest first. `between` are the
-- entities at the other ends of `near`, except those with one relation, which only leads back, and those
-- with more than :widest, which connect almost everything.
-- The cost depends on the limits and not on the size of the scope: every lateral query reads one entity's
-- relations by memory_relations_source or memory_relations_target (those of a small run by the index of
-- runs) and stops at its limit. Only `holds` reads further, over the relations of one kind of the same
-- entity. tests/integration/postgres/test_recall_plans.py holds that.
-- Every row also says whether the graph spaces have relations that the scope sees, and whether they have
-- aliases; if nothing is found, there is one row without a relation. A separate statement that only looks
-- for known names would cost half as much, but one more round trip for each question with a known name.
WITH entity AS MATERIALIZED (
    SELECT named.space, named.key, size.degree
    FROM unnest(:name_spaces::text[], :name_keys::text[]) AS named (space, key),
    LATERAL (
        SELECT count(*) AS degree
        FROM (
            (SELECT FROM ({seen}) AS r
             WHERE r.space = named.space AND r.source_key = named.key
             LIMIT :counted)
            UNION ALL
            (SELECT FROM ({seen}) AS r
             WHERE r.space = named.space AND r.target_key = named.key
               AND r.source_key <> named.key
             LIMIT :counted)
        ) AS relation
    ) AS size
    WHERE size.degree > 0
    ORDER BY size.degree, named.key
    LIMIT :most_entities
),
near AS MATERIALIZED (
    SELECT entity.space, entity.key, entity.degree, own.*
    FROM entity,
    LATERAL (
        (SELECT r.memory_id, r.ordinal, r.event_time, r.target_key AS other
         FROM ({seen}) AS r
         WHERE r.space = entity.space AND r.source_key = entity.key
           AND {holds}
         ORDER BY r.event_time DESC, r.memory_id LIMIT :near)
        UNION ALL
        (SELECT r.memory_id, r.ordinal, r.event_time, r.source_key AS other
         FROM ({seen}) AS r
         WHERE r.space = entity.space AND r.target_key = entity.key
           AND r.source_key <> entity.key AND {holds}
         ORDER BY r.event_time DESC, r.memory_id LIMIT :near)
        ORDER BY event_time DESC, memory_id LIMIT :near
    ) AS own
),
between AS MATERIALIZED (
    SELECT met.space, met.key, met.degree, met.other, size.through
    FROM (SELECT DISTINCT space, key, degree, other FROM near WHERE other <> key) AS met,
    LATERAL (
        SELECT count(*) AS through
        FROM (
            (SELECT FROM ({seen}) AS r
             WHERE r.space = met.space AND r.source_key = met.other
             LIMIT :widest + 1)
            UNION ALL
            (SELECT FROM ({seen}) AS r
             WHERE r.space = met.space AND r.target_key = met.other
               AND r.source_key <> met.other
             LIMIT :widest + 1)
        ) AS relation
    ) AS size
    WHERE size.through > 1 AND size.through <= :widest
),
far AS MATERIALIZED (
    SELECT found.*,
           row_number() OVER (
               PARTITION BY found.space, found.key
               ORDER BY found.through, found.event_time DESC, found.memory_id
           ) AS place
    FROM (
        SELECT between.space, between.key, between.degree, between.through,
               r.memory_id, r.ordinal, r.event_time
        FROM between
        JOIN ({seen}) AS r
            ON r.space = between.space AND r.source_key = between.other
        WHERE r.target_key <> between.key AND {holds}
        UNION
        SELECT between.space, between.key, between.degree, between.through,
               r.memory_id, r.ordinal, r.event_time
        FROM between
        JOIN ({seen}) AS r
            ON r.space = between.space AND r.target_key = between.other
        WHERE r.source_key <> between.key AND {holds}
    ) AS found
)
SELECT of_spaces.has_relations, of_spaces.has_aliases, found.*
FROM (
    SELECT EXISTS (
               SELECT FROM ({seen}) AS r
               WHERE r.space = ANY (:spaces::text[])
           ) AS has_relations,
           EXISTS (
               SELECT FROM memories AS m
               WHERE m.project_id = :project_id
                 AND m.graph_space = ANY (:spaces::text[])
                 AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
           ) AS has_aliases
) AS of_spaces
LEFT JOIN (
    SELECT memory_id, ordinal, degree, 0 AS through FROM near
    UNION ALL
    SELECT memory_id, ordinal, degree, through FROM far WHERE place <= :far
) AS found ON true;

-- name: spaces (scope)
-- The graph spaces of the scope's newest relations.
SELECT DISTINCT newest.space
FROM (
    SELECT r.space FROM ({seen}) AS r
    ORDER BY r.event_time DESC
    LIMIT :looked_at
) AS newest
LIMIT :most_spaces;

-- name: memories_with_aliases (scope)
-- The memories of the scope that state aliases.
SELECT m.memory_id, m.entities, m.text, m.graph_space AS space
FROM memories AS m
WHERE m.project_id = :project_id
  AND m.graph_space = ANY (:spaces::text[])
  AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
  AND {scope} AND (m.expiration_date IS NULL OR m.expiration_date >= :visible_on);

-- name: stated
-- Relations as their memories state them.
SELECT r.memory_id, r.ordinal, r.event_time, m.relations -> (r.ordinal - 1) AS relation
FROM unnest(:memory_ids::uuid[], :ordinals::integer[]) AS given (memory_id, ordinal)
JOIN memory_relations AS r
    ON r.project_id = :project_id AND r.memory_id = given.memory_id AND r.ordinal = given.ordinal
JOIN memories AS m ON m.project_id = :project_id AND m.memory_id = r.memory_id;
