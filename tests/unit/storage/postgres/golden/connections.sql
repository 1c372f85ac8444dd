-- name: facts
SELECT to_regtype('halfvec') IS NOT NULL AS has_vectors,
       coalesce(row_security_active(to_regclass('memories')), false) AS has_row_security;

-- name: show
SELECT set_config('memoir.project', $1, false);

-- name: send_notifications
SELECT pg_notify(channel, '') FROM unnest($1::text[]) AS channel;

-- name: check
SELECT 1;
