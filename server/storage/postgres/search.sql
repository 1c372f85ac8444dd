-- Searching. `{memories}` stands for the rows that are searched: those of the block `of_memories` and of
-- `present` in passages.sql, or, where a past instant is asked for, of the block `past`, which then goes
-- before the others; there `{rows}` stands for `past_memories` and for `past` in passages.sql. Some names
-- stand for the blocks of `ranking.sql`, with what they stand for. Values are always bound.

-- name: of_memories
SELECT project_id, memory_id, user_id, agent_id, app_id, run_id, scope_key, text, inferred, immutable,
       metadata, categories, event_time, expiration_date, create_time, update_time, ordinal,
       text_length, lexemes, embedding
FROM memories

-- name: past
past AS MATERIALIZED ({rows}),

-- name: past_memories
-- The memories as they were at an instant, with the columns of `memories` that a search reads. Every
-- memory came to be in a call of its own scope (`origin`), which leads to them. An event without an
-- embedding left the text as it was before; a text without one at all is found by its words.
SELECT s.project_id, s.memory_id, s.user_id, s.agent_id, s.app_id, s.run_id, s.scope_key, s.text,
       s.inferred, s.immutable, s.metadata, s.categories, s.event_time, s.expiration_date,
       s.create_time, s.update_time, born.ordinal, char_length(s.text) AS text_length,
       indexed_words(s.text, s.role, s.name, s.event_time, s.entities, s.evidence) AS lexemes,
       coalesce(
           embedded.embedding,
           array_fill(0::real, ARRAY[vector_dims($4::halfvec)])::halfvec
       ) AS embedding
FROM calls AS origin
JOIN memory_events AS born
    ON born.project_id = origin.project_id AND born.call_id = origin.call_id
    AND born.type = 'ADD'
CROSS JOIN LATERAL (
    SELECT e.state, e.version
    FROM memory_events AS e
    WHERE e.project_id = $1 AND e.memory_id = born.memory_id AND e.change_time <= {time}
    ORDER BY e.version DESC
    LIMIT 1
) AS last
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS s
LEFT JOIN LATERAL (
    SELECT e.embedding
    FROM memory_events AS e
    WHERE e.project_id = $1 AND e.memory_id = born.memory_id AND e.version <= last.version
      AND e.embedding IS NOT NULL
    ORDER BY e.version DESC
    LIMIT 1
) AS embedded ON true
WHERE origin.project_id = $1 AND origin.call_time <= {time} AND last.state IS NOT NULL
  AND {origin}

-- name: read_past_hits
SELECT {columns}
FROM unnest($2::uuid[]) AS wanted (memory_id)
CROSS JOIN LATERAL (
    SELECT e.state, e.call_id
    FROM memory_events AS e
    WHERE e.project_id = $1 AND e.memory_id = wanted.memory_id AND e.change_time <= $4
    ORDER BY e.version DESC
    LIMIT 1
) AS last
JOIN calls AS c ON c.project_id = $1 AND c.call_id = last.call_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::memories, last.state) AS m
WHERE last.state IS NOT NULL
  AND ($3::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $3);

-- name: rank
-- The memories that one of the two arms finds best, and those that the graph proposes, each with the
-- scores that both arms give it.
-- Both look at the memories of the scope alone, and take their statistics from them, so that a
-- search costs what the scope holds and says nothing of what lies outside it. The formulas and their
-- constants are explained in server/memories/search/ranking.py.
WITH {past}question AS MATERIALIZED (
    SELECT tsvector_to_array(words_of($5)) AS lexemes
),
{centre},
compared AS MATERIALIZED (
    SELECT m.memory_id, m.scope_key, m.inferred, m.create_time, m.ordinal, m.text_length, m.event_time,
           -(m.embedding <#> $4) AS similarity,
           -(m.embedding <#> (SELECT mean FROM centre)) AS commonness,
           {shared} AS shared
    FROM {memories} AS m
    WHERE {narrowed}
),
frame AS MATERIALIZED (
    SELECT {framed}
    FROM (
        SELECT size, mean_length, size / (size + $10::float8) AS share,
               -(mean <#> mean) AS square, -(mean <#> $4) AS common
        FROM (
            SELECT count(*)::float8 AS size, avg(text_length)::float8 AS mean_length FROM compared
        ) AS counted, centre
    ) AS of_scope
),
{weights},
matched AS MATERIALIZED (
    SELECT c.memory_id, c.scope_key, c.inferred, c.create_time, c.ordinal, c.text_length, c.event_time,
           {dense} AS dense,
           {lexical} AS lexical
    FROM compared AS c, frame AS f, weights AS w
),
-- Messages that were stored as they are lend to those around them; inferred facts stand alone. Where
-- each ends is counted in characters, with more between two sittings than any message reaches.
told AS MATERIALIZED (
    SELECT c.memory_id, c.dense, c.lexical, c.scope_key, c.create_time, c.ordinal, c.text_length,
           c.event_time,
           CASE
               WHEN event_time - lag(event_time, 1, event_time) OVER conversation
                   BETWEEN -$15::interval AND $15 THEN 0
               ELSE 10000000
           END AS pause,
           {lending}
    FROM matched AS c
    WHERE NOT inferred
    WINDOW conversation AS (PARTITION BY scope_key ORDER BY create_time, ordinal, memory_id)
),
placed AS MATERIALIZED (
    SELECT memory_id, event_time, dense, lexical, scope_key, text_length, far,
           sum(text_length + pause) OVER conversation AS ending,
           CASE WHEN pause = 0 THEN lag(near, 1, 0) OVER conversation ELSE 0 END
           + CASE WHEN lead(pause) OVER conversation = 0 THEN lead(near) OVER conversation ELSE 0 END
               AS beside
    FROM told
    WINDOW conversation AS (PARTITION BY scope_key ORDER BY create_time, ordinal, memory_id)
),
scored AS MATERIALIZED (
    SELECT memory_id, event_time, dense, lexical FROM matched WHERE inferred
    UNION ALL
    SELECT memory_id, event_time, dense, 1 - (1 - lexical) * exp(
               (beside + sum(far) OVER before + sum(far) OVER after - 2 * far) / 1e8::float8
           ) AS lexical
    FROM placed
    WINDOW
        before AS (
            PARTITION BY scope_key ORDER BY ending - text_length
            RANGE BETWEEN $14 PRECEDING AND CURRENT ROW
        ),
        after AS (
            PARTITION BY scope_key ORDER BY ending
            RANGE BETWEEN CURRENT ROW AND $14 FOLLOWING
        )
)
{winners}

-- name: read_hits
SELECT {columns}
FROM memories AS m
JOIN calls AS c USING (project_id, call_id)
WHERE m.project_id = $1 AND m.memory_id = ANY ($2::uuid[])
  AND ($3::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= $3);
