-- What the entities of a question lead to: the relations of an entity, and those one further on. Only
-- memories of the scope count, in the numbers too. `{scope x}` stands for the condition on the named
-- parts of the scope, `{live x}` for that and not being expired, `{holds x}` for not being superseded.

-- name: live
({scope x}) AND (x.expiration_date IS NULL OR x.expiration_date >= $4::date)

-- name: holds
-- As server/graph/project/supersession.py has it, by the names as the memories say them.
NOT (
    (x.relation = ANY ($5::text[]) OR x.relation LIKE ANY ($6::text[]))
    AND EXISTS (
        SELECT FROM memory_relations AS later
        WHERE later.project_id = $1 AND later.space = x.space AND later.source_key = x.source_key
          AND later.relation = x.relation AND {live later}
          AND (later.event_time, later.memory_id) > (x.event_time, x.memory_id)
          AND later.event_time <= $7
          AND NOT EXISTS (
              SELECT FROM memory_relations AS same
              WHERE same.project_id = $1 AND same.memory_id = later.memory_id
                AND same.source_key = x.source_key AND same.relation = x.relation
                AND same.target_key = x.target_key
          )
    )
)

-- name: look
-- Most questions name nothing that the scope knows: this is all that they cost.
SELECT ARRAY(
           SELECT named.place
           FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS named (space, key, place)
           WHERE EXISTS (
               SELECT FROM memory_relations AS r
               WHERE r.project_id = $1 AND r.space = named.space AND r.source_key = named.key
                 AND {live r}
           ) OR EXISTS (
               SELECT FROM memory_relations AS r
               WHERE r.project_id = $1 AND r.space = named.space AND r.target_key = named.key
                 AND {live r}
           )
       ) AS known,
       EXISTS (
           SELECT FROM memory_relations AS r
           WHERE r.project_id = $1 AND r.space = ANY ($5::text[]) AND {live r}
       ) AS has_relations,
       EXISTS (
           SELECT FROM memories AS m
           WHERE m.project_id = $1
             AND coalesce('user:' || m.user_id, 'agent:' || m.agent_id, 'app:' || m.app_id,
                          'run:' || m.run_id) = ANY ($5::text[])
             AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
       ) AS has_teachers;

-- name: recall
WITH entity AS MATERIALIZED (
    SELECT named.space, named.key, size.degree
    FROM unnest($2::text[], $3::text[]) AS named (space, key),
    LATERAL (
        SELECT count(*) AS degree
        FROM (
            (SELECT FROM memory_relations AS r
             WHERE r.project_id = $1 AND r.space = named.space AND r.source_key = named.key
               AND {live r}
             LIMIT $8)
            UNION ALL
            (SELECT FROM memory_relations AS r
             WHERE r.project_id = $1 AND r.space = named.space AND r.target_key = named.key
               AND r.source_key <> named.key AND {live r}
             LIMIT $8)
        ) AS relation
    ) AS size
    WHERE size.degree > 0
    ORDER BY size.degree, named.key
    LIMIT $9
),
near AS MATERIALIZED (
    SELECT entity.space, entity.key, entity.degree, own.*
    FROM entity,
    LATERAL (
        (SELECT r.memory_id, r.ordinal, r.event_time, r.target_key AS other
         FROM memory_relations AS r
         WHERE r.project_id = $1 AND r.space = entity.space AND r.source_key = entity.key
           AND {live r} AND {holds r}
         ORDER BY r.event_time DESC, r.memory_id LIMIT $10)
        UNION ALL
        (SELECT r.memory_id, r.ordinal, r.event_time, r.source_key AS other
         FROM memory_relations AS r
         WHERE r.project_id = $1 AND r.space = entity.space AND r.target_key = entity.key
           AND r.source_key <> entity.key AND {live r} AND {holds r}
         ORDER BY r.event_time DESC, r.memory_id LIMIT $10)
        ORDER BY event_time DESC, memory_id LIMIT $10
    ) AS own
),
between AS MATERIALIZED (
    SELECT met.space, met.key, met.degree, met.other, size.through
    FROM (SELECT DISTINCT space, key, degree, other FROM near WHERE other <> key) AS met,
    LATERAL (
        SELECT count(*) AS through
        FROM (
            (SELECT FROM memory_relations AS r
             WHERE r.project_id = $1 AND r.space = met.space AND r.source_key = met.other
               AND {live r}
             LIMIT $11 + 1)
            UNION ALL
            (SELECT FROM memory_relations AS r
             WHERE r.project_id = $1 AND r.space = met.space AND r.target_key = met.other
               AND r.source_key <> met.other AND {live r}
             LIMIT $11 + 1)
        ) AS relation
    ) AS size
    WHERE size.through > 1 AND size.through <= $11
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
        JOIN memory_relations AS r
            ON r.project_id = $1 AND r.space = between.space AND r.source_key = between.other
        WHERE r.target_key <> between.key AND {live r} AND {holds r}
        UNION
        SELECT between.space, between.key, between.degree, between.through,
               r.memory_id, r.ordinal, r.event_time
        FROM between
        JOIN memory_relations AS r
            ON r.project_id = $1 AND r.space = between.space AND r.target_key = between.other
        WHERE r.source_key <> between.key AND {live r} AND {holds r}
    ) AS found
)
SELECT memory_id, ordinal, degree, 0 AS through FROM near
UNION ALL
SELECT memory_id, ordinal, degree, through FROM far WHERE place <= $12;

-- name: spaces
-- The graph spaces of the scope's newest relations.
SELECT DISTINCT newest.space
FROM (
    SELECT r.space FROM memory_relations AS r
    WHERE r.project_id = $1 AND {scope r}
    ORDER BY r.event_time DESC
    LIMIT $2
) AS newest
LIMIT $3;

-- name: teachers
-- The memories of the scope that teach other names of entities.
SELECT memory_id, entities, text,
       coalesce('user:' || m.user_id, 'agent:' || m.agent_id, 'app:' || m.app_id, 'run:' || m.run_id)
           AS space
FROM memories AS m
WHERE m.project_id = $1
  AND coalesce('user:' || m.user_id, 'agent:' || m.agent_id, 'app:' || m.app_id, 'run:' || m.run_id)
      = ANY ($2::text[])
  AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
  AND {scope m} AND (m.expiration_date IS NULL OR m.expiration_date >= $3::date);

-- name: stated
-- Relations as their memories state them.
SELECT r.memory_id, r.ordinal, r.event_time, m.relations -> (r.ordinal - 1) AS relation
FROM unnest($2::uuid[], $3::integer[]) AS given (memory_id, ordinal)
JOIN memory_relations AS r
    ON r.project_id = $1 AND r.memory_id = given.memory_id AND r.ordinal = given.ordinal
JOIN memories AS m ON m.project_id = $1 AND m.memory_id = r.memory_id;
