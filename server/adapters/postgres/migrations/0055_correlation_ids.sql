-- Operators look for what a request left behind, in all projects, so these begin with the correlation id.
-- B-trees and not hash indexes: a client may send one id with all of its calls.
CREATE INDEX calls_correlation_id ON calls (correlation_id, project_id);
CREATE INDEX operations_correlation_id ON operations (correlation_id, project_id);
