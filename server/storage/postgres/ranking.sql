-- Blocks that searches of small and of large scopes share: which items take part, how they are
-- scored, and which are returned. The formulas and their constants are explained in
-- server/memories/search/ranking.py. The slot `memories` takes the rows that are searched,
-- `project` the parameter of the project, `scope` and `filters` conditions on the rows. Numbers that
-- the planner could use are in subqueries, so that no plan for given values looks cheaper than the
-- generic one (see `_HIDDEN` in search_statements.py).

-- block: before
-- The items before `c`, the nearest first, each with the number of characters in between.
SELECT m.memory_id, m.event_time, m.text_length, row_number() OVER outward = 1 AS is_next,
       sum(m.text_length) OVER outward - m.text_length AS apart
FROM (
    SELECT m.memory_id, m.message_id, m.event_time, m.text_length
    FROM {memories} AS m
    WHERE {narrowed} AND m.scope_key = c.scope_key AND m.message_id IS NOT NULL
      AND (m.message_id, m.memory_id) < (c.message_id, c.memory_id)
    ORDER BY m.message_id DESC, m.memory_id DESC
    LIMIT 8
) AS m
WINDOW outward AS (ORDER BY m.message_id DESC, m.memory_id DESC)

-- block: after
-- The items after `c`, the nearest first, each with the number of characters in between.
SELECT m.memory_id, m.event_time, m.text_length, row_number() OVER outward = 1 AS is_next,
       sum(m.text_length) OVER outward - m.text_length AS apart
FROM (
    SELECT m.memory_id, m.message_id, m.event_time, m.text_length
    FROM {memories} AS m
    WHERE {narrowed} AND m.scope_key = c.scope_key AND m.message_id IS NOT NULL
      AND (m.message_id, m.memory_id) > (c.message_id, c.memory_id)
    ORDER BY m.message_id, m.memory_id
    LIMIT 8
) AS m
WINDOW outward AS (ORDER BY m.message_id, m.memory_id)

-- block: meanings
-- The stem of the first word of each text, with those of the words of related meaning after it.
meanings AS MATERIALIZED (
    SELECT first_word.lexeme AS meant, near.lexeme AS related
    FROM unnest(:meanings::text[]) AS meaning, to_tsvector('pg_catalog.english', meaning) AS words,
         unnest(words) AS first_word, unnest(words) AS near
    WHERE 1 = ANY (first_word.positions) AND near.lexeme <> first_word.lexeme
)

-- block: question
-- `lexemes` are the words of the question itself (`question_lexemes`), and words of related meaning, which
-- count in place of a word that occurs in no item.
question AS MATERIALIZED (
    SELECT vector, question_lexemes, lexemes,
           (SELECT string_agg(quote_literal(word), ' | ')
            FROM unnest(lexemes) AS word)::tsquery AS any_of
    FROM words_of(:question) AS vector, tsvector_to_array(vector) AS question_lexemes,
         array_cat(question_lexemes, ARRAY(SELECT DISTINCT related FROM meanings)) AS lexemes
)

-- block: centre
-- The mean vector of the scope, estimated from the newest items. A sum of vectors costs a quarter
-- of avg(), which adds in double precision.
centre AS MATERIALIZED (
    SELECT (sum(newest.embedding::vector) * array_fill(
               (1.0 / greatest(1, count(*)))::real, ARRAY[vector_dims(:vector::halfvec)]
           )::vector)::halfvec AS mean
    FROM (
        SELECT m.embedding
        FROM {memories} AS m
        WHERE {narrowed}
        ORDER BY m.create_time DESC, m.memory_id DESC
        LIMIT (SELECT :centre_sample::bigint)
    ) AS newest
)

-- block: frame_columns
-- `share` of the mean is subtracted; `offset_*` are the parts of the centred cosine that are the
-- same for every item.
size, mean_length, share, share * share * square AS offset_square,
share * common AS offset_question,
sqrt(greatest(1e-9, 1 - 2 * share * common + share * share * square)) AS question_norm

-- block: weights
-- The weights of the question's words, and of the words related to one that occurs in no item. They are
-- looked up in a JSON object instead of joined, because the planner guesses the size of intermediate
-- results: a wrong guess would make a search of a large scope take seconds.
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
        -- The word can occur in more items than the scope had when its size was measured.
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
)

-- block: word_pairs
-- The pairs of adjacent words in the question, with at most one unindexed word in between. Each is a query
-- that finds both words within `pair_reach` words of each other. Words that occur in no item of the scope
-- form no pairs.
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
        FROM generate_series(1, :pair_reach::integer) AS step
    ) AS near (pair)
    WHERE gap <= 2 AND lexeme <> previous
      AND (SELECT of_lexeme FROM weights) ?& ARRAY[lexeme, previous]
)

-- block: shared
-- The words of the question, and words of related meaning, that occur in `m`.
ts_filter(setweight(m.lexemes, 'A', (SELECT lexemes FROM question)), '{a}')

-- block: narrowed
-- Whether an item takes part in the search.
m.project_id = {project} AND {scope} AND {filters}

-- block: weighted_words
-- The words that `c` shares with the question, if one of them has a weight.
CASE WHEN c.shared @@ (SELECT any_of FROM weights) THEN c.shared END AS shared

-- block: dense
-- The centred cosine of `c`.
(c.similarity - f.share * c.commonness - f.offset_question + f.offset_square)
/ f.question_norm
/ sqrt(greatest(1e-9, 1 - 2 * f.share * c.commonness + f.offset_square))

-- block: lexical
-- BM25 of `c`, from the words that it shares with the question. Products of constants are computed by the
-- caller, because the planner would use constants that it can evaluate.
CASE WHEN c.shared IS NULL THEN 0 ELSE least(1, (
    SELECT sum(hit.weight * hit.frequency * :bm25_gain::float8 / (
               hit.frequency + :bm25_floor::float8 + :bm25_slope::float8 * c.text_length / f.mean_length))
    FROM (
        SELECT (w.of_lexeme ->> lexeme)::float8 AS weight,
               cardinality(positions)::float8 AS frequency
        FROM unnest(c.shared)
    ) AS hit
) / w.total) END

-- block: lending
-- What `c` lends to the items around it: `far` to each within reach, and `near` to its direct
-- neighbours in addition. These are logarithms of one minus the share, in units of 1e-8: integers,
-- whose sums over a moving frame are exact, and zero where nothing is lent.
(1e8 * ln(1 - :far_share::float8 * c.lexical))::integer AS far,
(1e8 * (ln(1 - :context_share::float8 * c.lexical)
        - CASE WHEN c.text_length <= :reach::bigint THEN ln(1 - :far_share * c.lexical) ELSE 0 END))::integer
    AS near

-- block: winners
-- The best items of each arm, with the size of the scope and the mean length of its texts.
SELECT c.memory_id, c.event_time, c.role, c.name, c.message_id, c.text_length, c.dense,
       {lexical_with_pairs} AS lexical, f.size, f.mean_length, c.embedding
FROM (
    (SELECT {ranked} FROM scored ORDER BY dense DESC, memory_id LIMIT (SELECT :limit::bigint))
    UNION
    (SELECT {ranked} FROM scored WHERE lexical > 0 ORDER BY lexical DESC, memory_id LIMIT (SELECT :limit::bigint))
    UNION
    SELECT {ranked} FROM scored WHERE memory_id = ANY ((SELECT :graph_ids::uuid[])::uuid[])
) AS c, frame AS f, word_pairs AS p

-- block: lexical_with_pairs
-- The lexical score of `c` where each pair of words counts as `pair_share` of an average word.
CASE WHEN c.shared IS NULL OR p.queries IS NULL THEN c.lexical ELSE least(1, (
    p.known_words * c.lexical
    + :pair_share::float8 * (SELECT count(*) FROM unnest(p.queries) AS pair WHERE c.shared @@ pair)
      * :bm25_gain / (1 + :bm25_floor + :bm25_slope * c.text_length / f.mean_length)
) / (p.known_words + :pair_share * p.number)) END

-- block: ranked
memory_id, event_time, role, name, message_id, text_length, embedding, shared, dense, lexical

-- block: embedding
-- The embedding of `m` if hits are raised by their resemblance, else nothing: rows are copied a few times.
CASE WHEN (SELECT :with_vectors::boolean) THEN m.embedding END AS embedding
