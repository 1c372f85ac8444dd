-- What connections need of the database before and beside the statements of the stores.

-- name: has_vectors
SELECT to_regtype('halfvec') IS NOT NULL;

-- name: send_notifications
SELECT pg_notify(channel, '') FROM unnest(:channels::text[]) AS channel;

-- name: check
SELECT 1;
