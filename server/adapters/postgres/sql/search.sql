-- Searching. `{narrowed}` stands for the block of that name; within it `{scope}` for one fixed
-- condition a scope field that a query names, and `{filters}` for the condition that a client's
-- filter is compiled to (see filter_condition.py). Values are always bound.

-- name: narrowed
m.project_id = $1
      AND ($2::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $2)
      AND (cardinality($3::text[]) = 0 OR m.categories && $3)
      AND {scope}
      AND {filters}

-- name: rank
-- The memories that one of the two arms finds best, each with the scores that both arms give it.
-- Both look at the memories of the scope alone, and take their statistics from them, so that a
-- search costs what the scope holds and says nothing of what lies outside it. The formulas and their
-- constants are explained in server/domain/ranking.py.
WITH question AS MATERIALIZED (
    SELECT tsvector_to_array(to_tsvector('pg_catalog.english', $5)) AS lexemes
),
-- What the scope speaks of on average. The newest memories are enough to tell: averaging vectors
-- costs more than comparing them.
centre AS MATERIALIZED (
    SELECT avg(newest.embedding) AS mean
    FROM (
        SELECT m.embedding
        FROM memories AS m
        WHERE {narrowed}
        ORDER BY m.create_time DESC, m.memory_id DESC
        LIMIT $11
    ) AS newest
),
compared AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.inferred, m.create_time, m.ordinal, m.text_length,
           -(m.embedding <#> $4) AS similarity,
           -(m.embedding <#> (SELECT mean FROM centre)) AS commonness,
           ts_filter(setweight(m.lexemes, 'A', (SELECT lexemes FROM question)), '{a}') AS shared
    FROM memories AS m
    WHERE {narrowed}
),
-- Next to each other in a conversation is next to each other in `place`.
scoped AS MATERIALIZED (
    SELECT memory_id, scope_key, inferred, text_length, similarity, commonness, shared,
           row_number() OVER (
               ORDER BY scope_key, inferred, create_time, ordinal, memory_id
           ) AS place
    FROM compared
),
-- `share` of the mean is taken off; `offset_*` are the parts of the centred cosine that are the same
-- for every memory.
frame AS MATERIALIZED (
    SELECT size, mean_length, share, share * share * square AS offset_square,
           share * common AS offset_question,
           sqrt(greatest(1e-9, 1 - 2 * share * common + share * share * square)) AS question_norm
    FROM (
        SELECT size, mean_length, size / (size + $10::float8) AS share,
               -(mean <#> mean) AS square, -(mean <#> $4) AS common
        FROM (
            SELECT count(*)::float8 AS size, avg(text_length)::float8 AS mean_length FROM scoped
        ) AS counted, centre
    ) AS of_scope
),
occurrences AS MATERIALIZED (
    SELECT s.place, s.scope_key, s.inferred, s.text_length, hit.lexeme,
           cardinality(hit.positions)::float8 AS frequency
    FROM scoped AS s, unnest(s.shared) AS hit
    WHERE length(s.shared) > 0
),
weights AS MATERIALIZED (
    SELECT o.lexeme, ln(1 + (f.size - count(*) + 0.5) / (count(*) + 0.5)) AS weight
    FROM occurrences AS o, frame AS f
    GROUP BY o.lexeme, f.size
),
matched AS MATERIALIZED (
    SELECT o.place, o.scope_key, o.inferred,
           least(1.0, sum(
               w.weight * o.frequency * ($6::float8 + 1)
               / (o.frequency + $6 * (1 - $7::float8 + $7 * o.text_length / f.mean_length))
           ) / (SELECT sum(weight) FROM weights)) AS lexical
    FROM occurrences AS o
    JOIN weights AS w USING (lexeme)
    CROSS JOIN frame AS f
    GROUP BY o.place, o.scope_key, o.inferred
),
-- Messages that were stored as they are lend to those around them; inferred facts stand alone.
lent AS MATERIALIZED (
    SELECT place, scope_key, inferred,
           1 - (1 - max(own)) * (1 - $8::float8 * max(before)) * (1 - $8 * max(after)) AS lexical
    FROM (
        SELECT place, scope_key, inferred, lexical AS own, 0.0 AS before, 0.0 AS after FROM matched
        UNION ALL
        SELECT place + 1, scope_key, inferred, 0.0, lexical, 0.0 FROM matched WHERE NOT inferred
        UNION ALL
        SELECT place - 1, scope_key, inferred, 0.0, 0.0, lexical FROM matched WHERE NOT inferred
    ) AS reasons
    GROUP BY place, scope_key, inferred
),
scored AS MATERIALIZED (
    SELECT s.memory_id,
           (s.similarity - f.share * s.commonness - f.offset_question + f.offset_square)
           / f.question_norm
           / sqrt(greatest(1e-9, 1 - 2 * f.share * s.commonness + f.offset_square)) AS dense,
           coalesce(lent.lexical, 0) AS lexical
    FROM scoped AS s
    CROSS JOIN frame AS f
    LEFT JOIN lent USING (place, scope_key, inferred)
)
(SELECT memory_id, dense, lexical FROM scored ORDER BY dense DESC, memory_id LIMIT $9)
UNION
(
    SELECT memory_id, dense, lexical
    FROM scored
    WHERE lexical > 0
    ORDER BY lexical DESC, memory_id
    LIMIT $9
);

-- name: read_hits
SELECT {columns}
FROM memories AS m
JOIN calls AS c USING (project_id, call_id)
WHERE m.project_id = $1 AND m.memory_id = ANY ($2::uuid[])
  AND ($3::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $3);
