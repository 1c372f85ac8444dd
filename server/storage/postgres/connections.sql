-- Statements for connections, before and besides those of the stores.

-- name: facts
-- Before the first migration there are neither vector types nor tables.
SELECT to_regtype('halfvec') IS NOT NULL AS has_vectors,
       coalesce(row_security_active(to_regclass('memories')), false) AS has_row_security;

-- name: show
-- For the policies of the tables: the rows that this session may see.
SELECT set_config('memoir.project', :shown, false);

-- name: send_notifications
SELECT pg_notify(channel, '') FROM unnest(:channels::text[]) AS channel;

-- name: check
SELECT 1;
