#!/bin/sh
# Creates the role of the servers; PostgreSQL's image runs this when it creates the database. The role owns
# nothing, and `migrate --service-role` grants it what it needs.
set -eu

password=$(cat "${SERVICE_PASSWORD_FILE:-/passwords/service/postgres}")
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set ON_ERROR_STOP=1 \
    --set password="$password" <<'SQL'
CREATE ROLE memoir_service LOGIN PASSWORD :'password';
SQL
