-- Deleting a scope finds its operations without reading all that are done: most by the calls that
-- have their effect, these by themselves.

CREATE INDEX operations_without_call ON operations (project_id)
    WHERE state IN ('FAILED', 'CANCELLED');
-- Those that ended with what another call of the same request id had done.
CREATE INDEX operations_of_other_call ON operations (project_id, call_id)
    WHERE call_id <> operation_id;
