-- Counting the changes of the last minutes without reading the whole history. Rows are appended in the
-- order of their times, or nearly, so that an index of ranges is enough and costs writers next to nothing.
CREATE INDEX memory_events_time ON memory_events
    USING brin (change_time) WITH (pages_per_range = 32, autosummarize = on);
