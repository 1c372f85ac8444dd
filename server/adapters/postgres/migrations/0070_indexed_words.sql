-- What the lexical arm of a search finds a text by: its words, who said it, and when.

-- The text as it is split into words: composed (NFC) and case folded, so that one word has one spelling.
-- Scripts without spaces become pairs of characters, each character but the first and the last in two
-- of them. Signs that belong to a name are written out: "C++" and "C" are two words.
CREATE FUNCTION spelled_out(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN folded.said !~ unspaced.one THEN folded.said
        ELSE regexp_replace(folded.said, unspaced.two, ' \1 ', 'g') || ' ' || regexp_replace(
                 regexp_replace(
                     regexp_replace(folded.said, unspaced.first, ' ', 'g'), unspaced.others, ' ', 'g'
                 ),
                 unspaced.two, ' \1 ', 'g'
             )
    END
    FROM (
        SELECT regexp_replace(regexp_replace(regexp_replace(
            casefold(normalize(said, NFC) COLLATE pg_unicode_fast),
            '([[:alnum:]])&([[:alnum:]])', '\1and\2', 'g'),
            '([[:alnum:]])\+\+', '\1plusplus', 'g'),
            '([[:alnum:]])#(?![[:alnum:]])', '\1sharp', 'g')
    ) AS folded (said),
    (
        -- Thai, Lao, Khmer, Burmese, kana and Han, each a letter or a mark.
        SELECT '[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]',
               '([\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]{2})',
               '(^|[^\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF])'
               '[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]',
               '[^\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF]+'
    ) AS unspaced (one, two, first, others)
$$;

-- The lexemes of a text, stemmed as its script suggests; English stands for all of the Latin script. A
-- tsvector holds at most 1 MiB, and a longer one would refuse the memory: what stands behind the first
-- 100,000 characters is not indexed.
CREATE FUNCTION words_of(said text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN said !~ '[^\x01-\x7f]|[&+#]'
    THEN to_tsvector('pg_catalog.english', left(said, 100000))
    ELSE to_tsvector(
        CASE
            WHEN said ~ '[\u0400-\u04FF]' THEN 'pg_catalog.russian'::regconfig
            WHEN said ~ '[\u0370-\u03FF]' THEN 'pg_catalog.greek'::regconfig
            WHEN said ~ '[\u0600-\u06FF]' THEN 'pg_catalog.arabic'::regconfig
            WHEN said ~ '[\u0900-\u097F]' THEN 'pg_catalog.hindi'::regconfig
            WHEN said ~ '[\u0B80-\u0BFF]' THEN 'pg_catalog.tamil'::regconfig
            WHEN said ~ '[\u0530-\u058F]' THEN 'pg_catalog.armenian'::regconfig
            ELSE 'pg_catalog.english'::regconfig
        END,
        spelled_out(left(said, 100000))
    )
END;

-- `to_char` depends on the settings of a session for other patterns than these, which name months and
-- days in English always.
CREATE FUNCTION words_of_time(event_time timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_char(event_time AT TIME ZONE 'UTC', 'FMDD FMMonth YYYY FMDay YYYY-MM');

-- What a memory or passage is found by. Of a memory that was inferred also how it was said (the quotes
-- of its evidence), and the names of its entities.
CREATE FUNCTION indexed_words(
    said text, role text, name text, event_time timestamptz,
    entities jsonb DEFAULT '[]', evidence jsonb DEFAULT '[]'
) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN words_of(concat_ws(
    E'\n', left(said, 90000), coalesce(name, role), words_of_time(event_time),
    CASE WHEN entities <> '[]' THEN jsonb_path_query_array(entities, '$[*].name') #>> '{}' END,
    CASE WHEN evidence <> '[]' THEN jsonb_path_query_array(evidence, '$[*].quote') #>> '{}' END
));

-- An index on this column (`memoir index-search`) goes with it, and has to be built again.
ALTER TABLE memories ALTER COLUMN lexemes
    SET EXPRESSION AS (indexed_words(text, role, name, event_time, entities, evidence));
