-- name: has_vectors
SELECT to_regtype('halfvec') IS NOT NULL;

-- name: send_notifications
SELECT pg_notify(channel, '') FROM unnest($1::text[]) AS channel;

-- name: check
SELECT 1;
