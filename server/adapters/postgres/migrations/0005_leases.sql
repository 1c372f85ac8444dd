-- Leases on scopes, and what inference cost in tokens.

-- Who works on a scope, so that adds with inference to it run one after another, whichever server
-- they reach. Unlogged, because a lease need not survive a crash of PostgreSQL and should not cost a
-- flush: whoever finds its lease gone cannot commit.
CREATE UNLOGGED TABLE scope_leases (
    project_id text NOT NULL,
    scope_key bytea NOT NULL,
    holder uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, scope_key)
);

-- Null where no language model took part.
ALTER TABLE calls
    ADD COLUMN input_tokens integer,
    ADD COLUMN output_tokens integer;
