-- What a faithful projection needs: leases that fence, dead letters, the names that stand for one
-- entity, and the memories that a new day takes out of the graph.

-- `lease` is the claim that holds the row, and the only one that may settle it. `refusals` counts how
-- often the graph has refused the memory by itself, `fault` says what it was, and `dead_generation` is
-- the change at which it was given up: a newer change gives it another try.
ALTER TABLE graph_outbox
    ADD COLUMN lease uuid,
    ADD COLUMN refusals integer NOT NULL DEFAULT 0,
    ADD COLUMN fault text,
    ADD COLUMN dead_generation bigint;

DROP INDEX graph_outbox_available;
CREATE INDEX graph_outbox_available ON graph_outbox (available_at)
    WHERE dead_generation IS DISTINCT FROM generation;
CREATE INDEX graph_outbox_dead ON graph_outbox (project_id) WHERE dead_generation = generation;

-- What the memories of a graph space teach about names: derived from their entities by the projector,
-- which looks up a whole space by it.
CREATE TABLE entity_aliases (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    ordinal integer NOT NULL,
    space text NOT NULL,
    name text NOT NULL,
    alias text NOT NULL,
    PRIMARY KEY (project_id, memory_id, ordinal)
);
CREATE INDEX entity_aliases_space ON entity_aliases (project_id, space);

-- Names of a space whose entity has changed, until the memories that mention them are in the outbox.
CREATE TABLE entity_alias_changes (
    project_id text NOT NULL,
    space text NOT NULL,
    change_id uuid NOT NULL,
    keys jsonb NOT NULL,
    PRIMARY KEY (project_id, space, change_id)
);

CREATE INDEX memories_expiration ON memories (expiration_date) WHERE expiration_date IS NOT NULL;
