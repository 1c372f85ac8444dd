-- Names of a graph space that an operator has said are not one entity, whatever memories teach.
-- `split_id` is a digest of both names in folded form, in their order, which may be too long for a key.
CREATE TABLE entity_splits (
    project_id text NOT NULL,
    space text NOT NULL,
    split_id bytea NOT NULL,
    name text NOT NULL,
    other_name text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (project_id, space, split_id)
);
