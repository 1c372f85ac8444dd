-- Searches a large scope by comparing candidates. Other blocks, with their slots, are in ranking.sql.

-- block: compared_in_one_scan
-- The vectors and the words of all items of the scope, read at once.
SELECT m.memory_id, m.text_length,
       -(m.embedding <#> :vector) AS similarity,
       -(m.embedding <#> (SELECT mean FROM centre)) AS commonness,
       CASE WHEN m.lexemes @@ (SELECT any_of FROM question) THEN {shared} END AS shared
FROM {memories} AS m
WHERE {narrowed}

-- block: nearest_of_compared
SELECT memory_id
FROM (SELECT c.memory_id, {dense} AS dense FROM compared AS c, frame AS f) AS of_scope
ORDER BY dense DESC, memory_id
LIMIT (SELECT :limit::bigint)

-- block: compared_by_words
-- The items that share words with the question.
SELECT m.memory_id, m.text_length, {shared} AS shared
FROM {memories} AS m
WHERE {narrowed} AND m.lexemes @@ (SELECT any_of FROM question)

-- block: nearest_by_index
-- Twice as many as needed, because they are selected before centring, which changes their order a
-- little. The slot `cast` takes the type under which vectors are indexed.
SELECT m.memory_id
FROM {memories} AS m
WHERE {narrowed}
ORDER BY m.embedding{cast} <#> (SELECT target{cast} FROM frame)
LIMIT 2 * :limit

-- name: rank_large (compared, nearest, memories, project, scope, filters)
-- Returns what `rank` (search.sql) does, but scores only items that can be among the best: the
-- nearest ones, those that share most words with the question, and their neighbours, to which they
-- lend. `size` and `mean_length` describe the scope as the last search that read all of it found
-- them. The slots `compared` and `nearest` take the blocks `compared_in_one_scan` and
-- `nearest_of_compared`, which read every vector of the scope, or `compared_by_words` and
-- `nearest_by_index`, which walk through the vector index. In addition, it costs index probes for the
-- candidates. tests/integration/postgres/test_plans.py and test_vector_index.py hold that.
WITH {meanings},
{question},
{centre},
frame AS MATERIALIZED (
    SELECT {frame_columns},
           -- Apart from its denominator, the centred cosine grows with this inner product.
           :vector::halfvec
           - (mean * array_fill(share::real, ARRAY[vector_dims(:vector)])::halfvec) AS target
    FROM (
        SELECT :size::float8 AS size, :mean_length::float8 AS mean_length, mean,
               :size / (:size + :centre_shrinkage::float8) AS share, -(mean <#> mean) AS square,
               -(mean <#> :vector) AS common
        FROM centre
    ) AS of_scope
),
compared AS MATERIALIZED ({compared}),
nearest AS MATERIALIZED ({nearest}),
{weights},
{word_pairs},
matched AS MATERIALIZED (
    SELECT c.memory_id, c.shared, {lexical} AS lexical
    FROM compared AS c, frame AS f, weights AS w
    WHERE c.shared @@ w.any_of
),
best AS MATERIALIZED (SELECT * FROM matched ORDER BY lexical DESC, memory_id LIMIT (SELECT :limit::bigint)),
seeds AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.message_id, m.event_time, m.text_length
    FROM {memories} AS m
    WHERE m.project_id = :project_id AND m.message_id IS NOT NULL AND m.memory_id = ANY (ARRAY(
        (SELECT memory_id FROM nearest LIMIT (SELECT :limit::bigint / 2))
        UNION (SELECT memory_id FROM best LIMIT (SELECT :limit::bigint / 2))
    ))
),
-- The neighbours of each seed in its sitting.
around AS MATERIALIZED (
    SELECT c.memory_id AS seed, c.text_length AS seed_length, m.*
    FROM seeds AS c
    CROSS JOIN LATERAL (({before}) UNION ALL ({after})) AS m
    WHERE m.event_time BETWEEN c.event_time - :sitting::interval AND c.event_time + :sitting
      AND (m.is_next OR least(c.text_length, m.text_length) + m.apart <= :reach::bigint)
),
-- What the neighbours lend to the seed, and the seed to them.
pairs AS MATERIALIZED (
    SELECT seed AS receiver, memory_id AS lender, text_length, is_next, apart FROM around
    UNION
    SELECT memory_id, seed, seed_length, is_next, apart FROM around
),
-- What neighbours lend reduces the distance to the score 1 by a factor; this is its logarithm.
lent AS MATERIALIZED (
    SELECT receiver AS memory_id,
           sum(CASE WHEN is_next THEN near ELSE 0 END
               + CASE WHEN text_length + apart <= :reach THEN far ELSE 0 END) / 1e8::float8 AS log_factor
    FROM (
        SELECT c.receiver, c.is_next, c.apart, c.text_length, {lending}
        FROM (SELECT * FROM pairs JOIN matched ON matched.memory_id = lender) AS c
    ) AS of_pair
    GROUP BY receiver
),
found AS MATERIALIZED (
    SELECT memory_id
    FROM (SELECT memory_id FROM best UNION SELECT memory_id FROM lent) AS of_words
    LEFT JOIN matched USING (memory_id)
    LEFT JOIN lent USING (memory_id)
    ORDER BY (1 - coalesce(lexical, 0)) * exp(coalesce(log_factor, 0)), memory_id
    LIMIT (SELECT :limit::bigint)
),
candidates AS MATERIALIZED (
    SELECT m.memory_id, m.event_time, m.role, m.name, m.message_id, m.text_length, {embedding},
           -(m.embedding <#> :vector) AS similarity,
           -(m.embedding <#> (SELECT mean FROM centre)) AS commonness
    FROM {memories} AS m
    WHERE {narrowed} AND m.memory_id = ANY (ARRAY(
        SELECT memory_id FROM nearest
        UNION SELECT memory_id FROM found
        UNION SELECT unnest((SELECT :graph_ids::uuid[]))
    ))
),
scored AS MATERIALIZED (
    SELECT c.memory_id, c.event_time, c.role, c.name, c.message_id, c.text_length, c.embedding, matched.shared,
           {dense} AS dense,
           1 - (1 - coalesce(matched.lexical, 0)) * exp(coalesce(lent.log_factor, 0)) AS lexical
    FROM frame AS f, candidates AS c
    LEFT JOIN matched USING (memory_id)
    LEFT JOIN lent USING (memory_id)
)
{winners}
