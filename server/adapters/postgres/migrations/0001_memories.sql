-- The first schema: tenants, calls, messages, memories, their history and the graph's outbox.
--
-- PostgreSQL is the only source of truth. The key of every tenant's table begins with project_id and
-- every statement binds it, so that the tables can be distributed by project. There are no foreign
-- keys between them: one statement writes a call with all its effects, and a project is moved or
-- deleted whole.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE store_settings (
    name text PRIMARY KEY,
    value jsonb NOT NULL
);

CREATE TABLE projects (
    project_id text PRIMARY KEY,
    org_id text NOT NULL,
    custom_instructions text NOT NULL DEFAULT '',
    custom_categories jsonb NOT NULL DEFAULT '[]',
    default_retention_days integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);

-- Keys are looked up before their project is known, so this key is the digest.
CREATE TABLE api_keys (
    digest bytea PRIMARY KEY,
    key_id text NOT NULL UNIQUE,
    org_id text NOT NULL,
    project_id text REFERENCES projects,
    label text NOT NULL,
    create_time timestamptz NOT NULL,
    revoke_time timestamptz
);

-- Orders the changes of a project: outbox, history and consistency tokens count in it.
CREATE SEQUENCE change_position;

CREATE TABLE calls (
    project_id text NOT NULL,
    call_id uuid NOT NULL,
    position bigint NOT NULL,
    method text NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea NOT NULL,
    request_id uuid,
    payload_digest bytea NOT NULL,
    correlation_id text NOT NULL,
    embedding_model text NOT NULL,
    language_model text,
    prompt_version text,
    call_time timestamptz NOT NULL,
    PRIMARY KEY (project_id, call_id)
);

CREATE UNIQUE INDEX calls_request_id ON calls (project_id, request_id)
    WHERE request_id IS NOT NULL;
CREATE INDEX calls_scope ON calls (project_id, scope_key, position DESC);

CREATE TABLE messages (
    project_id text NOT NULL,
    call_id uuid NOT NULL,
    ordinal integer NOT NULL,
    message_id uuid NOT NULL,
    role text NOT NULL,
    name text,
    content text NOT NULL,
    event_time timestamptz NOT NULL,
    PRIMARY KEY (project_id, call_id, ordinal)
);

CREATE TABLE memories (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    version bigint NOT NULL,
    call_id uuid NOT NULL,
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea NOT NULL,
    digest bytea NOT NULL,
    text text NOT NULL,
    role text,
    name text,
    inferred boolean NOT NULL,
    immutable boolean NOT NULL,
    metadata jsonb NOT NULL,
    categories text[] NOT NULL,
    entities jsonb NOT NULL,
    relations jsonb NOT NULL,
    evidence jsonb NOT NULL,
    event_time timestamptz NOT NULL,
    expiration_date date,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (project_id, memory_id)
);

-- A search reads the embeddings of a whole scope: out of line they would cost a look-up each.
ALTER TABLE memories ALTER COLUMN embedding SET STORAGE PLAIN;

CREATE UNIQUE INDEX memories_digest ON memories (project_id, scope_key, digest);
-- Of each part of a scope in the order of lists, so that a page costs what it holds and a search
-- reads its scope, however large the table is.
CREATE INDEX memories_user ON memories (project_id, user_id, create_time, memory_id)
    WHERE user_id IS NOT NULL;
CREATE INDEX memories_agent ON memories (project_id, agent_id, create_time, memory_id)
    WHERE agent_id IS NOT NULL;
CREATE INDEX memories_app ON memories (project_id, app_id, create_time, memory_id)
    WHERE app_id IS NOT NULL;
CREATE INDEX memories_run ON memories (project_id, run_id, create_time, memory_id)
    WHERE run_id IS NOT NULL;
CREATE INDEX memories_create_time ON memories (project_id, create_time, memory_id);

-- Append-only. `state` is the whole row after the event but for its embedding, so that any memory
-- can be read as it was at any instant; it is null after a deletion. `ordinal` is the place among
-- the call's changes, from 0, or -1 for an expired memory that made way for a new one.
CREATE TABLE memory_events (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    ordinal integer NOT NULL,
    call_id uuid NOT NULL,
    type text NOT NULL,
    change_time timestamptz NOT NULL,
    state jsonb,
    PRIMARY KEY (project_id, memory_id, version)
);

CREATE INDEX memory_events_call ON memory_events (project_id, call_id, ordinal);

-- Memories whose change the graph does not hold yet. `available_at` in the future is a lease or a
-- delay; `first_generation` is the oldest change that is still missing.
CREATE TABLE graph_outbox (
    project_id text NOT NULL,
    memory_id uuid NOT NULL,
    generation bigint NOT NULL,
    first_generation bigint NOT NULL,
    correlation_id text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    enqueue_time timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, memory_id)
);

CREATE INDEX graph_outbox_available ON graph_outbox (available_at);
CREATE INDEX graph_outbox_pending ON graph_outbox (project_id, first_generation);
