-- Asynchronous calls: durable before they are answered, and worked on later by any server.

-- `state` is QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED; a time of end goes with the last three.
-- `lease` is the holder while RUNNING, until `available_at`; otherwise `available_at` is when it may
-- be tried (again). `failures` counts the attempts that speak against the call itself: one counts
-- from its beginning, so that a crash counts too. `payload` is the request, until it is done.
-- `call_id` is the call that has the effect.
CREATE TABLE operations (
    project_id text NOT NULL,
    operation_id uuid NOT NULL,
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    state text NOT NULL DEFAULT 'QUEUED',
    user_id text,
    agent_id text,
    app_id text,
    run_id text,
    scope_key bytea NOT NULL,
    request_id uuid,
    payload_digest bytea NOT NULL,
    payload bytea,
    output_format text NOT NULL,
    correlation_id text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    lease uuid,
    available_at timestamptz NOT NULL DEFAULT now(),
    create_time timestamptz NOT NULL DEFAULT now(),
    start_time timestamptz,
    end_time timestamptz,
    call_id uuid,
    fault text,
    error bytea,
    PRIMARY KEY (project_id, operation_id)
);

CREATE UNIQUE INDEX operations_request_id ON operations (project_id, request_id)
    WHERE request_id IS NOT NULL;

-- Of what is not done: the oldest first, and the oldest of a scope.
CREATE INDEX operations_pending ON operations (position) WHERE end_time IS NULL;
CREATE INDEX operations_pending_of_scope ON operations (project_id, scope_key, position)
    WHERE end_time IS NULL;
-- Of what is done: the oldest goes first.
CREATE INDEX operations_done ON operations (end_time) WHERE end_time IS NOT NULL;
