-- Searching a large scope. What `rank` (search.sql) finds by comparing every memory, this finds by
-- comparing those that can be among the best: the nearest ones, those that share a word with the
-- question, and their neighbours. They get the same scores. `$13` and `$14` are the size of the scope
-- and the mean length of its texts, as the last search that looked at all of them found. `{cast}`
-- stands for the type by which an index of vectors is found, or for nothing; some names for the blocks
-- of `ranking.sql`, with what they stand for. Compared by their words are those that share one.

-- name: rank_large
WITH question AS MATERIALIZED (
    SELECT lexemes,
           (SELECT string_agg(quote_literal(word), ' | ') FROM unnest(lexemes) AS word)::tsquery AS any_of
    FROM tsvector_to_array(words_of($5)) AS lexemes
),
{centre},
frame AS MATERIALIZED (
    SELECT {framed},
           -- The centred cosine grows with this vector's inner product, but for its denominator.
           $4::halfvec - (mean * array_fill(share::real, ARRAY[vector_dims(mean)])::halfvec) AS target
    FROM (
        SELECT $13::float8 AS size, $14::float8 AS mean_length, mean,
               $13 / ($13 + $10::float8) AS share, -(mean <#> mean) AS square,
               -(mean <#> $4) AS common
        FROM centre
    ) AS of_scope
),
nearest AS MATERIALIZED (
    SELECT m.memory_id
    FROM {memories} AS m
    WHERE {narrowed}
    ORDER BY m.embedding{cast} <#> (SELECT target{cast} FROM frame)
    LIMIT $15
),
compared AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.inferred, m.create_time, m.ordinal, m.text_length,
           {shared} AS shared
    FROM {memories} AS m
    WHERE {narrowed} AND m.lexemes @@ (SELECT any_of FROM question)
),
{weights},
matched AS MATERIALIZED (
    SELECT c.memory_id, c.scope_key, c.inferred, c.create_time, c.ordinal, {lexical} AS lexical
    FROM compared AS c, frame AS f, weights AS w
),
best AS MATERIALIZED (SELECT * FROM matched ORDER BY lexical DESC, memory_id LIMIT $9),
beside AS MATERIALIZED (
    SELECT m.memory_id
    FROM best AS c
    CROSS JOIN LATERAL (({before}) UNION ALL ({after})) AS m
    WHERE NOT c.inferred
),
candidates AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.inferred, m.create_time, m.ordinal, m.lexemes, m.text_length,
           -(m.embedding <#> $4) AS similarity,
           -(m.embedding <#> (SELECT mean FROM centre)) AS commonness
    FROM {memories} AS m
    WHERE {narrowed} AND m.memory_id = ANY (ARRAY(
        SELECT memory_id FROM nearest
        UNION SELECT memory_id FROM best
        UNION SELECT memory_id FROM beside
        UNION SELECT unnest($12::uuid[])
    ))
),
-- Each candidate with those before and after it, which lend to it.
said AS MATERIALIZED (
    SELECT c.memory_id, m.place, m.text_length,
           {shared} AS shared
    FROM candidates AS c
    CROSS JOIN LATERAL (
        SELECT 0 AS place, c.text_length, c.lexemes
        UNION ALL
        SELECT -1, m.text_length, m.lexemes FROM ({before}) AS m WHERE NOT c.inferred
        UNION ALL
        SELECT 1, m.text_length, m.lexemes FROM ({after}) AS m WHERE NOT c.inferred
    ) AS m
),
heard AS MATERIALIZED (
    SELECT memory_id, coalesce(max(lexical) FILTER (WHERE place = 0), 0) AS own,
           coalesce(max(lexical) FILTER (WHERE place < 0), 0) AS before,
           coalesce(max(lexical) FILTER (WHERE place > 0), 0) AS after
    FROM (
        SELECT c.memory_id, c.place, {lexical} AS lexical
        FROM said AS c, frame AS f, weights AS w
    ) AS of_part
    GROUP BY memory_id
),
scored AS MATERIALIZED (
    SELECT memory_id, {dense} AS dense,
           1 - (1 - own) * (1 - $8::float8 * before) * (1 - $8 * after) AS lexical
    FROM candidates AS c JOIN heard USING (memory_id), frame AS f
)
{winners}
