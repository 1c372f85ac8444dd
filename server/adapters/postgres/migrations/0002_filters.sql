-- Filters on metadata: equality is containment (see filter_metadata.py), which this index serves. It
-- holds one entry a path with its value. Without a pending list a look-up costs the same after many
-- writes as after few.
CREATE INDEX memories_metadata ON memories USING gin (metadata jsonb_path_ops)
    WITH (fastupdate = off);
