#!/bin/sh
# Run by PostgreSQL's image when it makes the database: the role that servers connect as. It owns
# nothing; `migrate --service-role` grants it what it needs.
set -eu

password=$(cat "${SERVICE_PASSWORD_FILE:-/passwords/service/postgres}")
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set ON_ERROR_STOP=1 \
    --set password="$password" <<'SQL'
CREATE ROLE memoir_service LOGIN PASSWORD :'password';
SQL
