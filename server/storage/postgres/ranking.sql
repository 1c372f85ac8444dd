-- What searches of small and of large scopes have in common: who takes part, how a memory is scored,
-- and who is answered. The formulas and their constants are explained in server/memories/search/ranking.py.

-- name: before
-- Those before `c`, the last one first, each with the characters that lie between.
SELECT m.memory_id, m.event_time, m.text_length, row_number() OVER told = 1 AS is_next,
       sum(m.text_length) OVER told - m.text_length AS apart
FROM (
    SELECT m.memory_id, m.event_time, m.text_length, m.create_time, m.ordinal
    FROM {memories} AS m
    WHERE {narrowed} AND m.scope_key = c.scope_key AND NOT m.inferred
      AND (m.create_time, m.ordinal, m.memory_id) < (c.create_time, c.ordinal, c.memory_id)
    ORDER BY m.create_time DESC, m.ordinal DESC, m.memory_id DESC
    LIMIT 8
) AS m
WINDOW told AS (ORDER BY m.create_time DESC, m.ordinal DESC, m.memory_id DESC)

-- name: after
-- Those after `c`, the next one first, each with the characters that lie between.
SELECT m.memory_id, m.event_time, m.text_length, row_number() OVER told = 1 AS is_next,
       sum(m.text_length) OVER told - m.text_length AS apart
FROM (
    SELECT m.memory_id, m.event_time, m.text_length, m.create_time, m.ordinal
    FROM {memories} AS m
    WHERE {narrowed} AND m.scope_key = c.scope_key AND NOT m.inferred
      AND (m.create_time, m.ordinal, m.memory_id) > (c.create_time, c.ordinal, c.memory_id)
    ORDER BY m.create_time, m.ordinal, m.memory_id
    LIMIT 8
) AS m
WINDOW told AS (ORDER BY m.create_time, m.ordinal, m.memory_id)

-- name: question
question AS MATERIALIZED (
    SELECT said, lexemes,
           (SELECT string_agg(quote_literal(word), ' | ') FROM unnest(lexemes) AS word)::tsquery AS any_of
    FROM words_of($5) AS said, tsvector_to_array(said) AS lexemes
)

-- name: centre
-- What the scope speaks of on average; the newest memories are enough to tell. A sum of vectors costs a
-- quarter of avg(), which adds in double precision.
centre AS MATERIALIZED (
    SELECT (sum(newest.embedding::vector) * array_fill(
               (1.0 / greatest(1, count(*)))::real, ARRAY[vector_dims($4::halfvec)]
           )::vector)::halfvec AS mean
    FROM (
        SELECT m.embedding
        FROM {memories} AS m
        WHERE {narrowed}
        ORDER BY m.create_time DESC, m.memory_id DESC
        LIMIT $11
    ) AS newest
)

-- name: framed
-- `share` of the mean is taken off; `offset_*` are the parts of the centred cosine that are the same
-- for every memory.
size, mean_length, share, share * share * square AS offset_square,
share * common AS offset_question,
sqrt(greatest(1e-9, 1 - 2 * share * common + share * share * square)) AS question_norm

-- name: weights
-- The weights are looked up and not joined: joins of intermediate results are planned by guesses, and
-- a wrong one would take a search of a large scope from milliseconds to seconds.
weights AS MATERIALIZED (
    SELECT jsonb_object_agg(lexeme, weight) AS of_lexeme, sum(weight) AS total
    FROM (
        -- More memories can have the word than the scope held when its size was found.
        SELECT lexeme, ln(1 + (greatest(0, f.size - count(*)) + 0.5) / (count(*) + 0.5)) AS weight
        FROM compared AS c, frame AS f, unnest(tsvector_to_array(c.shared)) AS lexeme
        WHERE c.shared IS NOT NULL
        GROUP BY lexeme, f.size
    ) AS weighed
)

-- name: pairs
-- The pairs of words that stand side by side in the question, each as the query that finds both of them
-- within a few words, in either order. Words that the scope does not know make no pair.
pairs AS MATERIALIZED (
    SELECT array_agg(DISTINCT near) AS near, count(DISTINCT near)::float8 AS number,
           (SELECT count(*) FROM weights, jsonb_object_keys(of_lexeme))::float8 AS words
    FROM (
        SELECT word, lag(word) OVER in_order AS former, place - lag(place) OVER in_order AS apart
        FROM (
            SELECT lexeme AS word, unnest(positions) AS place FROM question, unnest(question.said)
        ) AS of_word
        WINDOW in_order AS (ORDER BY place)
    ) AS neighbours
    CROSS JOIN LATERAL (
        SELECT string_agg(
                   format('%1$s <%3$s> %2$s | %2$s <%3$s> %1$s',
                          quote_literal(former), quote_literal(word), distance),
                   ' | '
               )::tsquery
        FROM generate_series(1, $17::integer) AS distance
    ) AS of_pair (near)
    WHERE apart <= 2 AND word <> former
      AND (SELECT of_lexeme FROM weights) ?& ARRAY[word, former]
)

-- name: shared
-- What `m` has of the words of the question.
ts_filter(setweight(m.lexemes, 'A', (SELECT lexemes FROM question)), '{a}')

-- name: narrowed
-- `{project}` stands for the parameter of the project, `{scope}` for one fixed condition a scope field
-- that a query names, `{filters}` for the condition that a client's filter is compiled to (filters.py).
m.project_id = {project}
      AND ($2::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $2)
      AND (cardinality($3::text[]) = 0 OR m.categories && $3)
      AND {scope}
      AND {filters}

-- name: dense
-- The centred cosine of `c`.
(c.similarity - f.share * c.commonness - f.offset_question + f.offset_square)
/ f.question_norm
/ sqrt(greatest(1e-9, 1 - 2 * f.share * c.commonness + f.offset_square))

-- name: lexical
-- BM25 of `c`, by what it shares with the question; null is nothing.
CASE WHEN c.shared IS NULL THEN 0 ELSE least(1, (
    SELECT sum(hit.weight * hit.frequency * ($6::float8 + 1) / (hit.frequency + $6 * (
               1 - $7::float8 + $7 * c.text_length / f.mean_length)))
    FROM (
        SELECT (w.of_lexeme ->> lexeme)::float8 AS weight,
               cardinality(positions)::float8 AS frequency
        FROM unnest(c.shared)
    ) AS hit
) / w.total) END

-- name: lending
-- What `c` lends to those around it: to each within reach, and to the next ones beside that. These are
-- logarithms of what is left of 1, in units of 1e-8: integers, whose sums over a moving frame cost
-- nothing and are zero where nothing is lent.
(1e8 * ln(1 - $13::float8 * c.lexical))::integer AS far,
(1e8 * (ln(1 - $8::float8 * c.lexical)
        - CASE WHEN c.text_length <= $14::bigint THEN ln(1 - $13 * c.lexical) ELSE 0 END))::integer
    AS near

-- name: winners
-- With the size of the scope and the mean length of its texts.
SELECT c.memory_id, c.event_time, c.role, c.name, c.dense, {with_pairs} AS lexical,
       f.size, f.mean_length
FROM (
    (SELECT {scores} FROM scored ORDER BY dense DESC, memory_id LIMIT $9)
    UNION
    (SELECT {scores} FROM scored WHERE lexical > 0 ORDER BY lexical DESC, memory_id LIMIT $9)
    UNION
    SELECT {scores} FROM scored WHERE memory_id = ANY ($12::uuid[])
) AS c, frame AS f, pairs AS p

-- name: with_pairs
-- The lexical score of `c` when a pair counts as the part $16 of a word of the question.
CASE WHEN c.shared IS NULL OR p.near IS NULL THEN c.lexical ELSE least(1, (
    p.words * c.lexical + $16::float8 * ($6 + 1) / (1 + $6 * (1 - $7 + $7 * c.text_length / f.mean_length)) * (
        SELECT count(*) FROM unnest(p.near) AS near WHERE c.shared @@ near
    )
) / (p.words + $16 * p.number)) END

-- name: scores
memory_id, event_time, role, name, text_length, shared, dense, lexical
