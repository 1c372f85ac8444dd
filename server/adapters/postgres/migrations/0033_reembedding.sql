-- What is still to be embedded while the store changes its embedder; empty at all other times.
-- `version` is that of a past state, or 0 for the memory itself.
CREATE TABLE reembedding (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (project_id, memory_id, version)
);
