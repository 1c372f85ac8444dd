-- name: recall
WITH entity AS MATERIALIZED (
    SELECT named.space, named.key, size.degree
    FROM unnest($1::text[], $2::text[]) AS named (space, key),
    LATERAL (
        SELECT count(*) AS degree
        FROM (
            (SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
             WHERE r.space = named.space AND r.source_key = named.key
             LIMIT $7)
            UNION ALL
            (SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
             WHERE r.space = named.space AND r.target_key = named.key
               AND r.source_key <> named.key
             LIMIT $7)
        ) AS relation
    ) AS size
    WHERE size.degree > 0
    ORDER BY size.degree, named.key
    LIMIT $8
),
near AS MATERIALIZED (
    SELECT entity.space, entity.key, entity.degree, own.*
    FROM entity,
    LATERAL (
        (SELECT r.memory_id, r.ordinal, r.event_time, r.target_key AS other
         FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
         WHERE r.space = entity.space AND r.source_key = entity.key
           AND NOT (
    (r.relation = ANY ($9::text[]) OR r.relation LIKE ANY ($10::text[]))
    AND EXISTS (
        SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS later
        WHERE later.space = r.space AND later.source_key = r.source_key
          AND later.relation = r.relation
          AND (later.event_time, later.memory_id) > (r.event_time, r.memory_id)
          AND later.event_time <= $11
          AND NOT EXISTS (
              SELECT FROM memory_relations AS same
              WHERE same.project_id = $3 AND same.memory_id = later.memory_id
                AND same.source_key = r.source_key AND same.relation = r.relation
                AND same.target_key = r.target_key
          )
    )
)
         ORDER BY r.event_time DESC, r.memory_id LIMIT $12)
        UNION ALL
        (SELECT r.memory_id, r.ordinal, r.event_time, r.source_key AS other
         FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
         WHERE r.space = entity.space AND r.target_key = entity.key
           AND r.source_key <> entity.key AND NOT (
    (r.relation = ANY ($9::text[]) OR r.relation LIKE ANY ($10::text[]))
    AND EXISTS (
        SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS later
        WHERE later.space = r.space AND later.source_key = r.source_key
          AND later.relation = r.relation
          AND (later.event_time, later.memory_id) > (r.event_time, r.memory_id)
          AND later.event_time <= $11
          AND NOT EXISTS (
              SELECT FROM memory_relations AS same
              WHERE same.project_id = $3 AND same.memory_id = later.memory_id
                AND same.source_key = r.source_key AND same.relation = r.relation
                AND same.target_key = r.target_key
          )
    )
)
         ORDER BY r.event_time DESC, r.memory_id LIMIT $12)
        ORDER BY event_time DESC, memory_id LIMIT $12
    ) AS own
),
between AS MATERIALIZED (
    SELECT met.space, met.key, met.degree, met.other, size.through
    FROM (SELECT DISTINCT space, key, degree, other FROM near WHERE other <> key) AS met,
    LATERAL (
        SELECT count(*) AS through
        FROM (
            (SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
             WHERE r.space = met.space AND r.source_key = met.other
             LIMIT $13 + 1)
            UNION ALL
            (SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
             WHERE r.space = met.space AND r.target_key = met.other
               AND r.source_key <> met.other
             LIMIT $13 + 1)
        ) AS relation
    ) AS size
    WHERE size.through > 1 AND size.through <= $13
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
        JOIN (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
            ON r.space = between.space AND r.source_key = between.other
        WHERE r.target_key <> between.key AND NOT (
    (r.relation = ANY ($9::text[]) OR r.relation LIKE ANY ($10::text[]))
    AND EXISTS (
        SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS later
        WHERE later.space = r.space AND later.source_key = r.source_key
          AND later.relation = r.relation
          AND (later.event_time, later.memory_id) > (r.event_time, r.memory_id)
          AND later.event_time <= $11
          AND NOT EXISTS (
              SELECT FROM memory_relations AS same
              WHERE same.project_id = $3 AND same.memory_id = later.memory_id
                AND same.source_key = r.source_key AND same.relation = r.relation
                AND same.target_key = r.target_key
          )
    )
)
        UNION
        SELECT between.space, between.key, between.degree, between.through,
               r.memory_id, r.ordinal, r.event_time
        FROM between
        JOIN (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
            ON r.space = between.space AND r.target_key = between.other
        WHERE r.source_key <> between.key AND NOT (
    (r.relation = ANY ($9::text[]) OR r.relation LIKE ANY ($10::text[]))
    AND EXISTS (
        SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS later
        WHERE later.space = r.space AND later.source_key = r.source_key
          AND later.relation = r.relation
          AND (later.event_time, later.memory_id) > (r.event_time, r.memory_id)
          AND later.event_time <= $11
          AND NOT EXISTS (
              SELECT FROM memory_relations AS same
              WHERE same.project_id = $3 AND same.memory_id = later.memory_id
                AND same.source_key = r.source_key AND same.relation = r.relation
                AND same.target_key = r.target_key
          )
    )
)
    ) AS found
)
SELECT of_spaces.has_relations, of_spaces.has_aliases, found.*
FROM (
    SELECT EXISTS (
               SELECT FROM (SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = $3 AND m.user_id = $4 AND m.run_id = $5
  AND (m.expiration_date IS NULL OR m.expiration_date >= $6)) AS r
               WHERE r.space = ANY ($14::text[])
           ) AS has_relations,
           EXISTS (
               SELECT FROM memories AS m
               WHERE m.project_id = $3
                 AND m.graph_space = ANY ($14::text[])
                 AND jsonb_path_exists(m.entities, '$[*].aliases[*]')
           ) AS has_aliases
) AS of_spaces
LEFT JOIN (
    SELECT memory_id, ordinal, degree, 0 AS through FROM near
    UNION ALL
    SELECT memory_id, ordinal, degree, through FROM far WHERE place <= $15
) AS found ON true;
