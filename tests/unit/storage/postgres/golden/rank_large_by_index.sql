-- name: rank_large
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
FROM memories
UNION ALL
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
        WHERE m.project_id = $4 AND m.user_id = $5 AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date))
        ORDER BY m.create_time DESC, m.memory_id DESC
        LIMIT (SELECT $7::bigint)
    ) AS newest
),
frame AS MATERIALIZED (
    SELECT size, mean_length, share, share * share * square AS offset_square,
share * common AS offset_question,
sqrt(greatest(1e-9, 1 - 2 * share * common + share * share * square)) AS question_norm,
           $3::halfvec
           - (mean * array_fill(share::real, ARRAY[vector_dims($3)])::halfvec) AS target
    FROM (
        SELECT $8::float8 AS size, $9::float8 AS mean_length, mean,
               $8 / ($8 + $10::float8) AS share, -(mean <#> mean) AS square,
               -(mean <#> $3) AS common
        FROM centre
    ) AS of_scope
),
compared AS MATERIALIZED (SELECT m.memory_id, m.text_length, ts_filter(setweight(m.lexemes, 'A', (SELECT lexemes FROM question)), '{a}') AS shared
FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories
UNION ALL
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
WHERE m.project_id = $4 AND m.user_id = $5 AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date)) AND m.lexemes @@ (SELECT any_of FROM question)),
nearest AS MATERIALIZED (SELECT m.memory_id
FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories
UNION ALL
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
WHERE m.project_id = $4 AND m.user_id = $5 AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date))
ORDER BY m.embedding::halfvec(256) <#> (SELECT target::halfvec(256) FROM frame)
LIMIT 2 * $11),
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
        FROM generate_series(1, $12::integer) AS step
    ) AS near (pair)
    WHERE gap <= 2 AND lexeme <> previous
      AND (SELECT of_lexeme FROM weights) ?& ARRAY[lexeme, previous]
),
matched AS MATERIALIZED (
    SELECT c.memory_id, c.shared, CASE WHEN c.shared IS NULL THEN 0 ELSE least(1, (
    SELECT sum(hit.weight * hit.frequency * $13::float8 / (
               hit.frequency + $14::float8 + $15::float8 * c.text_length / f.mean_length))
    FROM (
        SELECT (w.of_lexeme ->> lexeme)::float8 AS weight,
               cardinality(positions)::float8 AS frequency
        FROM unnest(c.shared)
    ) AS hit
) / w.total) END AS lexical
    FROM compared AS c, frame AS f, weights AS w
    WHERE c.shared @@ w.any_of
),
best AS MATERIALIZED (SELECT * FROM matched ORDER BY lexical DESC, memory_id LIMIT (SELECT $11::bigint)),
seeds AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.message_id, m.event_time, m.text_length
    FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories
UNION ALL
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
    WHERE m.project_id = $4 AND m.message_id IS NOT NULL AND m.memory_id = ANY (ARRAY(
        (SELECT memory_id FROM nearest LIMIT (SELECT $11::bigint / 2))
        UNION (SELECT memory_id FROM best LIMIT (SELECT $11::bigint / 2))
    ))
),
around AS MATERIALIZED (
    SELECT c.memory_id AS seed, c.text_length AS seed_length, m.*
    FROM seeds AS c
    CROSS JOIN LATERAL ((SELECT m.memory_id, m.event_time, m.text_length, row_number() OVER outward = 1 AS is_next,
       sum(m.text_length) OVER outward - m.text_length AS apart
FROM (
    SELECT m.memory_id, m.message_id, m.event_time, m.text_length
    FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories
UNION ALL
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
    WHERE m.project_id = $4 AND m.user_id = $5 AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date)) AND m.scope_key = c.scope_key AND m.message_id IS NOT NULL
      AND (m.message_id, m.memory_id) < (c.message_id, c.memory_id)
    ORDER BY m.message_id DESC, m.memory_id DESC
    LIMIT 8
) AS m
WINDOW outward AS (ORDER BY m.message_id DESC, m.memory_id DESC)) UNION ALL (SELECT m.memory_id, m.event_time, m.text_length, row_number() OVER outward = 1 AS is_next,
       sum(m.text_length) OVER outward - m.text_length AS apart
FROM (
    SELECT m.memory_id, m.message_id, m.event_time, m.text_length
    FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories
UNION ALL
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
    WHERE m.project_id = $4 AND m.user_id = $5 AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date)) AND m.scope_key = c.scope_key AND m.message_id IS NOT NULL
      AND (m.message_id, m.memory_id) > (c.message_id, c.memory_id)
    ORDER BY m.message_id, m.memory_id
    LIMIT 8
) AS m
WINDOW outward AS (ORDER BY m.message_id, m.memory_id))) AS m
    WHERE m.event_time BETWEEN c.event_time - $16::interval AND c.event_time + $16
      AND (m.is_next OR least(c.text_length, m.text_length) + m.apart <= $17::bigint)
),
pairs AS MATERIALIZED (
    SELECT seed AS receiver, memory_id AS lender, text_length, is_next, apart FROM around
    UNION
    SELECT memory_id, seed, seed_length, is_next, apart FROM around
),
lent AS MATERIALIZED (
    SELECT receiver AS memory_id,
           sum(CASE WHEN is_next THEN near ELSE 0 END
               + CASE WHEN text_length + apart <= $17 THEN far ELSE 0 END) / 1e8::float8 AS log_factor
    FROM (
        SELECT c.receiver, c.is_next, c.apart, c.text_length, (1e8 * ln(1 - $18::float8 * c.lexical))::integer AS far,
(1e8 * (ln(1 - $19::float8 * c.lexical)
        - CASE WHEN c.text_length <= $17::bigint THEN ln(1 - $18 * c.lexical) ELSE 0 END))::integer
    AS near
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
    LIMIT (SELECT $11::bigint)
),
candidates AS MATERIALIZED (
    SELECT m.memory_id, m.event_time, m.role, m.name, m.message_id, m.text_length, CASE WHEN (SELECT $20::boolean) THEN m.embedding END AS embedding,
           -(m.embedding <#> $3) AS similarity,
           -(m.embedding <#> (SELECT mean FROM centre)) AS commonness
    FROM (SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time,
       text_length, lexemes, embedding, role, name, message_id
FROM memories
UNION ALL
SELECT project_id, passage_id AS memory_id, user_id, agent_id, app_id, run_id, scope_key, text,
       false AS inferred, false AS immutable, metadata, '{}'::text[] AS categories, event_time,
       expiration_date, create_time, create_time AS update_time, text_length, lexemes,
       embedding, role, name, message_id
FROM passages
WHERE delete_time IS NULL) AS m
    WHERE m.project_id = $4 AND m.user_id = $5 AND true AND (m.expiration_date IS NULL OR m.expiration_date >= (SELECT $6::date)) AND m.memory_id = ANY (ARRAY(
        SELECT memory_id FROM nearest
        UNION SELECT memory_id FROM found
        UNION SELECT unnest((SELECT $21::uuid[]))
    ))
),
scored AS MATERIALIZED (
    SELECT c.memory_id, c.event_time, c.role, c.name, c.message_id, c.text_length, c.embedding, matched.shared,
           (c.similarity - f.share * c.commonness - f.offset_question + f.offset_square)
/ f.question_norm
/ sqrt(greatest(1e-9, 1 - 2 * f.share * c.commonness + f.offset_square)) AS dense,
           1 - (1 - coalesce(matched.lexical, 0)) * exp(coalesce(lent.log_factor, 0)) AS lexical
    FROM frame AS f, candidates AS c
    LEFT JOIN matched USING (memory_id)
    LEFT JOIN lent USING (memory_id)
)
SELECT c.memory_id, c.event_time, c.role, c.name, c.message_id, c.text_length, c.dense,
       CASE WHEN c.shared IS NULL OR p.queries IS NULL THEN c.lexical ELSE least(1, (
    p.known_words * c.lexical
    + $22::float8 * (SELECT count(*) FROM unnest(p.queries) AS pair WHERE c.shared @@ pair)
      * $13 / (1 + $14 + $15 * c.text_length / f.mean_length)
) / (p.known_words + $22 * p.number)) END AS lexical, f.size, f.mean_length, c.embedding
FROM (
    (SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical FROM scored ORDER BY dense DESC, memory_id LIMIT (SELECT $11::bigint))
    UNION
    (SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical FROM scored WHERE lexical > 0 ORDER BY lexical DESC, memory_id LIMIT (SELECT $11::bigint))
    UNION
    SELECT memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical FROM scored WHERE memory_id = ANY ((SELECT $21::uuid[])::uuid[])
) AS c, frame AS f, word_pairs AS p
