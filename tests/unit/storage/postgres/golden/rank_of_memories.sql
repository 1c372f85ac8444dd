-- name: rank
WITH meanings AS MATERIALIZED (
    SELECT first_word.lexeme AS meant, near.lexeme AS related
    FROM unnest($1::text[]) AS meaning, to_tsvector('pg_catalog.english', meaning) AS words,
         unnest(words) AS first_word, unnest(words) AS near
    WHERE 1 = ANY (first_word.positions) AND near.lexeme <> first_word.lexeme
),
question AS MATERIALIZED (
    SELECT vector, question_lexemes, lexemes,
           (SELECT string_agg(quote_literal(word), ' | ')
            FROM unnest(lexemes) AS word)::tsquery AS any_of
    FROM words_of($2) AS vector, tsvector_to_array(vector) AS question_lexemes,
         array_cat(question_lexemes, ARRAY(SELECT DISTINCT related FROM meanings)) AS lexemes
),
centre AS MATERIALIZED (
    SELECT (sum(newest.embedding::vector) * array_fill(
               (1.0 / greatest(1, count(*)))::real, ARRAY[vector_dims($3::halfvec)]
           )::vector)::halfvec AS mean
    FROM (
        SELECT m.embedding
        FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories) AS m
        WHERE m.project_id = (SELECT $4::text) AND m.user_id = (SELECT $5::text) AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date))
        ORDER BY m.create_time DESC, m.memory_id DESC
        LIMIT (SELECT $7::bigint)
    ) AS newest
),
compared AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.text_length, m.event_time,
           m.role, m.name, m.message_id, CASE WHEN (SELECT $8::boolean) THEN m.embedding END AS embedding,
           -(m.embedding <#> $3) AS similarity,
           -(m.embedding <#> (SELECT mean FROM centre)) AS commonness,
           CASE WHEN m.lexemes @@ (SELECT any_of FROM question) THEN ts_filter(setweight(m.lexemes, 'A', (SELECT lexemes FROM question)), '{a}') END AS shared
    FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories) AS m
    WHERE m.project_id = (SELECT $4::text) AND m.user_id = (SELECT $5::text) AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date))
),
frame AS MATERIALIZED (
    SELECT size, mean_length, share, share * share * square AS offset_square,
share * common AS offset_question,
sqrt(greatest(1e-9, 1 - 2 * share * common + share * share * square)) AS question_norm
    FROM (
        SELECT size, mean_length, size / (size + $9::float8) AS share,
               -(mean <#> mean) AS square, -(mean <#> $3) AS common
        FROM (
            SELECT count(*)::float8 AS size, avg(text_length)::float8 AS mean_length FROM compared
        ) AS counted, centre
    ) AS of_scope
),
counted AS MATERIALIZED (
    SELECT jsonb_object_agg(lexeme, number) AS of_lexeme
    FROM (
        SELECT lexeme, count(*) AS number
        FROM compared AS c, unnest(tsvector_to_array(c.shared)) AS lexeme
        WHERE c.shared IS NOT NULL
        GROUP BY lexeme
    ) AS of_word
),
weights AS MATERIALIZED (
    SELECT jsonb_object_agg(lexeme, weight) AS of_lexeme,
           coalesce(sum(weight) FILTER (WHERE lexeme = ANY (question_lexemes)), sum(weight)) AS total,
           string_agg(quote_literal(lexeme), ' | ')::tsquery AS any_of
    FROM (
        SELECT lexeme, question_lexemes,
               ln(1 + (greatest(0, f.size - number::float8) + 0.5) / (number::float8 + 0.5)) AS weight
        FROM counted AS c, frame AS f, question, jsonb_each_text(c.of_lexeme) AS known (lexeme, number)
        WHERE lexeme = ANY (question_lexemes) OR lexeme = ANY (ARRAY(
            SELECT related
            FROM meanings
            WHERE meant = ANY ((SELECT question_lexemes FROM question)::text[])
              AND NOT (SELECT of_lexeme FROM counted) ? meant
        ))
    ) AS weighed
),
word_pairs AS MATERIALIZED (
    SELECT array_agg(DISTINCT pair) AS queries, count(DISTINCT pair)::float8 AS number,
           (SELECT count(*) FROM weights, question, jsonb_object_keys(of_lexeme) AS word
            WHERE word = ANY (question_lexemes))::float8 AS known_words
    FROM (
        SELECT lexeme, lag(lexeme) OVER in_order AS previous,
               place - lag(place) OVER in_order AS gap
        FROM (
            SELECT lexeme, unnest(positions) AS place FROM question, unnest(question.vector)
        ) AS word
        WINDOW in_order AS (ORDER BY place)
    ) AS word
    CROSS JOIN LATERAL (
        SELECT string_agg(
                   format('%1$s <%3$s> %2$s | %2$s <%3$s> %1$s',
                          quote_literal(previous), quote_literal(lexeme), step),
                   ' | '
               )::tsquery
        FROM generate_series(1, $10::integer) AS step
    ) AS near (pair)
    WHERE gap <= 2 AND lexeme <> previous
      AND (SELECT of_lexeme FROM weights) ?& ARRAY[lexeme, previous]
),
matched AS MATERIALIZED (
    SELECT c.memory_id, c.scope_key, c.text_length, c.event_time,
           c.role, c.name, c.message_id, c.embedding, c.shared,
           (c.similarity - f.share * c.commonness - f.offset_question + f.offset_square)
/ f.question_norm
/ sqrt(greatest(1e-9, 1 - 2 * f.share * c.commonness + f.offset_square)) AS dense,
           CASE WHEN c.shared IS NULL THEN 0 ELSE least(1, (
    SELECT sum(hit.weight * hit.frequency * $11::float8 / (
               hit.frequency + $12::float8 + $13::float8 * c.text_length / f.mean_length))
    FROM (
        SELECT (w.of_lexeme ->> lexeme)::float8 AS weight,
               cardinality(positions)::float8 AS frequency
        FROM unnest(c.shared)
    ) AS hit
) / w.total) END AS lexical
    FROM (
        SELECT memory_id, scope_key, text_length, event_time, role, name, message_id, embedding, similarity,
               commonness, CASE WHEN c.shared @@ (SELECT any_of FROM weights) THEN c.shared END AS shared
        FROM compared AS c
        OFFSET 0
    ) AS c, frame AS f, weights AS w
),
line_items AS MATERIALIZED (
    SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical, near, far,
           row_number() OVER line AS place,
           sum(text_length) OVER line AS ending,
           sum(far) OVER line AS lent,
           scope_key IS DISTINCT FROM lag(scope_key) OVER line
           OR event_time - lag(event_time) OVER line NOT BETWEEN -$14::interval
             AND $14 AS opens
    FROM (
        SELECT c.*, (1e8 * ln(1 - $15::float8 * c.lexical))::integer AS far,
(1e8 * (ln(1 - $16::float8 * c.lexical)
        - CASE WHEN c.text_length <= $17::bigint THEN ln(1 - $15 * c.lexical) ELSE 0 END))::integer
    AS near
        FROM matched AS c
        WHERE message_id IS NOT NULL AND (SELECT total FROM weights) IS NOT NULL
    ) AS c
    WINDOW line AS (ORDER BY scope_key, message_id, memory_id ROWS UNBOUNDED PRECEDING)
),
line AS MATERIALIZED (
    SELECT array_agg(ending - text_length) AS starts, array_agg(ending) AS endings,
           array_agg(lent) AS lent, array_agg(near) AS near,
           array_agg(place) FILTER (WHERE opens) AS openings
    FROM (SELECT * FROM line_items ORDER BY place) AS in_order
),
scored AS MATERIALIZED (
    SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical
    FROM matched
    WHERE message_id IS NULL OR (SELECT total FROM weights) IS NULL
    UNION ALL
    SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense,
           1 - (1 - lexical) * exp((
               CASE WHEN place > first THEN (SELECT near FROM line)[place - 1] ELSE 0 END
               + CASE WHEN place < last THEN (SELECT near FROM line)[place + 1] ELSE 0 END
               + (SELECT lent FROM line)[least(
                     last, width_bucket(ending + $17::bigint, (SELECT endings FROM line))
                 )]
               - coalesce((SELECT lent FROM line)[greatest(
                     first - 1, width_bucket(ending - text_length - $17 - 1,
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
SELECT c.memory_id, c.event_time, c.role, c.name, c.message_id, c.text_length, c.dense,
       CASE WHEN c.shared IS NULL OR p.queries IS NULL THEN c.lexical ELSE least(1, (
    p.known_words * c.lexical
    + $18::float8 * (SELECT count(*) FROM unnest(p.queries) AS pair WHERE c.shared @@ pair)
      * $11 / (1 + $12 + $13 * c.text_length / f.mean_length)
) / (p.known_words + $18 * p.number)) END AS lexical, f.size, f.mean_length, c.embedding
FROM (
    (SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical FROM scored ORDER BY dense DESC, memory_id LIMIT (SELECT $19::bigint))
    UNION
    (SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical FROM scored WHERE lexical > 0 ORDER BY lexical DESC, memory_id LIMIT (SELECT $19::bigint))
    UNION
    SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical FROM scored WHERE memory_id = ANY ((SELECT $20::uuid[])::uuid[])
) AS c, frame AS f, word_pairs AS p
