-- Selects the relations that a scope sees, and those that still hold. The slot `scope` takes a condition of
-- filters.py.

-- block: seen
-- The relations that the scope sees.
SELECT m.memory_id, m.ordinal, m.space, m.source_key, m.relation, m.target_key, m.event_time
FROM memory_relations AS m
WHERE m.project_id = :project_id AND {scope}
  AND (m.expiration_date IS NULL OR m.expiration_date >= :visible_on)

-- block: is_functional
-- Whether a subject has one value of the relation `r` at a time.
(r.relation = ANY (:functional::text[]) OR r.relation LIKE ANY (:functional_patterns::text[]))

-- block: holds
-- Whether nothing has superseded `r`: the rule of server/graph/project/supersession.py, by the names that
-- the memories use.
NOT (
    {is_functional}
    AND EXISTS (
        SELECT FROM ({seen}) AS later
        WHERE later.space = r.space AND later.source_key = r.source_key
          AND later.relation = r.relation
          AND (later.event_time, later.memory_id) > (r.event_time, r.memory_id)
          AND later.event_time <= :at
          AND NOT EXISTS (
              SELECT FROM memory_relations AS same
              WHERE same.project_id = :project_id AND same.memory_id = later.memory_id
                AND same.source_key = r.source_key AND same.relation = r.relation
                AND same.target_key = r.target_key
          )
    )
)

-- block: is_latest
-- Whether the memory `m` is returned if only the latest values are wanted: it states no functional
-- relations, or one that still holds.
coalesce(
    (SELECT bool_or({holds})
     FROM memory_relations AS r
     WHERE r.project_id = :project_id AND r.memory_id = m.memory_id AND {is_functional}),
    true
)
