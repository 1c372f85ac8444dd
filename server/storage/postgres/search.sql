-- Searches by comparing all items of the scope, and reads the found items. The slot `memories` takes the
-- rows that are searched: the blocks `present_memories` and `present_passages` (passages.sql), or,
-- for a past instant, the CTE of the block `past_cte`, which then goes into the slot `past`. Other
-- blocks, with their slots, are in ranking.sql and memory_columns.sql.

-- block: present_memories
SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories

-- block: past_cte
past AS MATERIALIZED ({rows}),

-- block: past_memories
-- The memories as they were at `time`, with the columns of `memories` that a search reads. Every
-- memory was added by a call of its own scope (`origin`), which leads to it. An event without an
-- embedding did not change the text; a state without any embedding is found by its words alone.
SELECT s.project_id, s.memory_id, s.user_id, s.agent_id, s.app_id, s.run_id, s.scope_key, s.text,
       s.inferred, s.immutable, s.metadata, s.categories, s.event_time, s.expiration_date,
       s.create_time, s.update_time, ranking_length(s.text, s.evidence) AS text_length,
       indexed_words(s.text, s.role, s.name, s.event_time, s.entities, s.evidence) AS lexemes,
       coalesce(
           embedded.embedding,
           array_fill(0::real, ARRAY[vector_dims(:vector::halfvec)])::halfvec
       ) AS embedding,
       s.role, s.name, (s.evidence -> 0 ->> 'message_id')::uuid AS message_id
FROM calls AS origin
JOIN memory_events AS born
    ON born.project_id = origin.project_id AND born.call_id = origin.call_id
    AND born.type = 'ADD'
CROSS JOIN LATERAL (
    SELECT e.state, e.version
    FROM memory_events AS e
    WHERE e.project_id = :project_id AND e.memory_id = born.memory_id
      AND e.change_time <= :time::timestamptz
    ORDER BY e.version DESC
    LIMIT 1
) AS last
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS s
LEFT JOIN LATERAL (
    SELECT e.embedding
    FROM memory_events AS e
    WHERE e.project_id = :project_id AND e.memory_id = born.memory_id AND e.version <= last.version
      AND e.embedding IS NOT NULL
    ORDER BY e.version DESC
    LIMIT 1
) AS embedded ON true
WHERE origin.project_id = :project_id AND origin.call_time <= :time AND last.state IS NOT NULL
  AND {origin}

-- name: read_past_hits
SELECT {memory_columns}
FROM unnest(:memory_ids::uuid[]) AS wanted (memory_id)
CROSS JOIN LATERAL (
    SELECT e.state, e.call_id
    FROM memory_events AS e
    WHERE e.project_id = :project_id AND e.memory_id = wanted.memory_id AND e.change_time <= :time
    ORDER BY e.version DESC
    LIMIT 1
) AS last
JOIN calls AS c ON c.project_id = :project_id AND c.call_id = last.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS m
WHERE last.state IS NOT NULL
  AND {visible};

-- name: rank (past, memories, project, scope, filters)
-- The items that one of the two arms, dense and lexical, ranks best, and those that the graph
-- proposes, each with the scores of both arms. Both arms read the scope only, and take their
-- statistics from it, so the cost grows with the scope and not with the table, and scores reveal
-- nothing about other scopes. The formulas and their constants are explained in
-- server/memories/search/ranking.py. tests/integration/postgres/test_plans.py holds the plan.
WITH {past}{meanings},
{question},
{centre},
compared AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.text_length, m.event_time,
           m.role, m.name, m.message_id, {embedding},
           -(m.embedding <#> :vector) AS similarity,
           -(m.embedding <#> (SELECT mean FROM centre)) AS commonness,
           CASE WHEN m.lexemes @@ (SELECT any_of FROM question) THEN {shared} END AS shared
    FROM {memories} AS m
    WHERE {narrowed}
),
frame AS MATERIALIZED (
    SELECT {frame_columns}
    FROM (
        SELECT size, mean_length, size / (size + :centre_shrinkage::float8) AS share,
               -(mean <#> mean) AS square, -(mean <#> :vector) AS common
        FROM (
            SELECT count(*)::float8 AS size, avg(text_length)::float8 AS mean_length FROM compared
        ) AS counted, centre
    ) AS of_scope
),
{weights},
{word_pairs},
matched AS MATERIALIZED (
    SELECT c.memory_id, c.scope_key, c.text_length, c.event_time,
           c.role, c.name, c.message_id, c.embedding, c.shared,
           {dense} AS dense,
           {lexical} AS lexical
    FROM (
        SELECT memory_id, scope_key, text_length, event_time, role, name, message_id, embedding, similarity,
               commonness, {weighted_words}
        FROM compared AS c
        -- So that `shared` is computed once.
        OFFSET 0
    ) AS c, frame AS f, weights AS w
),
-- Items lend to their neighbours in the order of messages; items without a known message lend nothing. The
-- messages of all conversations form one line. The end of each and the amount lent so far are running sums,
-- so that the sum over any part of the line is the difference of two of them.
line_items AS MATERIALIZED (
    SELECT {ranked}, near, far,
           row_number() OVER line AS place,
           sum(text_length) OVER line AS ending,
           sum(far) OVER line AS lent,
           scope_key IS DISTINCT FROM lag(scope_key) OVER line
           OR event_time - lag(event_time) OVER line NOT BETWEEN -:sitting::interval
             AND :sitting AS opens
    FROM (
        SELECT c.*, {lending}
        FROM matched AS c
        WHERE message_id IS NOT NULL AND (SELECT total FROM weights) IS NOT NULL
    ) AS c
    WINDOW line AS (ORDER BY scope_key, message_id, memory_id ROWS UNBOUNDED PRECEDING)
),
-- The columns of `line_items` by place, and the places at which a sitting begins. They are looked
-- up and not joined: a join can read the arrays again for each message, which takes the square of
-- their size.
line AS MATERIALIZED (
    SELECT array_agg(ending - text_length) AS starts, array_agg(ending) AS endings,
           array_agg(lent) AS lent, array_agg(near) AS near,
           array_agg(place) FILTER (WHERE opens) AS openings
    FROM (SELECT * FROM line_items ORDER BY place) AS in_order
),
-- `first` and `last` are the ends of the sitting of `c`; width_bucket() finds by bisection how many
-- of an ordered array are at most as large.
scored AS MATERIALIZED (
    SELECT {ranked}
    FROM matched
    WHERE message_id IS NULL OR (SELECT total FROM weights) IS NULL
    UNION ALL
    SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense,
           1 - (1 - lexical) * exp((
               CASE WHEN place > first THEN (SELECT near FROM line)[place - 1] ELSE 0 END
               + CASE WHEN place < last THEN (SELECT near FROM line)[place + 1] ELSE 0 END
               + (SELECT lent FROM line)[least(
                     last, width_bucket(ending + :reach::bigint, (SELECT endings FROM line))
                 )]
               - coalesce((SELECT lent FROM line)[greatest(
                     first - 1, width_bucket(ending - text_length - :reach - 1,
                     (SELECT starts FROM line))
                 )], 0)
               - far
           ) / 1e8::float8) AS lexical
    FROM (
        SELECT line_items.*, (SELECT openings FROM line)[sitting] AS first,
               coalesce(
                   (SELECT openings FROM line)[sitting + 1] - 1,
                   cardinality((SELECT starts FROM line))
               ) AS last
        FROM (
            SELECT line_items.*, width_bucket(place, (SELECT openings FROM line)) AS sitting
            FROM line_items
        ) AS line_items
    ) AS c
)
{winners}

-- name: read_hits
-- Each id is looked up by primary key. A plain join read a table without statistics by its calls, which
-- took hundreds of milliseconds for ten hits.
SELECT {memory_columns}
FROM unnest(:memory_ids::uuid[]) AS wanted (memory_id)
CROSS JOIN LATERAL (
    SELECT hit.*
    FROM memories AS hit
    WHERE hit.project_id = :project_id AND hit.memory_id = wanted.memory_id
    LIMIT 1
) AS m
CROSS JOIN LATERAL (
    SELECT writer.*
    FROM calls AS writer
    WHERE writer.project_id = :project_id AND writer.call_id = m.call_id
    LIMIT 1
) AS c
WHERE {visible};
