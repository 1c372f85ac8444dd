-- Which servers are there, so that what a dead one held need not wait for the end of its leases.

-- A server is present while a session shares the advisory lock of its number: the sessions of a
-- process that was killed end with it. A row goes when the server was found missing, and comes
-- when it is back: only who has a row is missed.
CREATE TABLE servers (server_id bigint PRIMARY KEY);

-- Who has the lease, or had it last.
ALTER TABLE operations ADD COLUMN server_id bigint;
ALTER TABLE scope_leases ADD COLUMN server_id bigint;
