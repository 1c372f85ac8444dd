-- Those that were given up are counted for every look at the queue, among all that are done.

CREATE INDEX operations_failed ON operations (project_id) WHERE state = 'FAILED';
