#!/bin/sh
# Generates the passwords of the databases at the first start; later starts keep them.
#
#   make-passwords.sh OWNER_FOLDER SERVICE_FOLDER
#
# The owner of the tables and the servers have different roles, with their passwords in separate folders,
# so that a server cannot read the owner's. PostgreSQL's clients read the `pgpass` files, and require that
# only the user of the server's image can read them.
set -eu

server_user=10001

new_password() {
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

# make FOLDER NAME
make() {
    if [ ! -s "$1/$2" ]; then
        new_password > "$1/$2.new"
        chmod 0444 "$1/$2.new"
        mv "$1/$2.new" "$1/$2"
    fi
}

# make_pgpass FOLDER ROLE
make_pgpass() {
    printf 'postgres:5432:memoir:%s:%s\n' "$2" "$(cat "$1/postgres")" > "$1/pgpass.new"
    chmod 0400 "$1/pgpass.new"
    chown "$server_user" "$1/pgpass.new"
    mv -f "$1/pgpass.new" "$1/pgpass"
}

owner=$1
service=$2
make "$owner" postgres
make "$service" postgres
make "$service" neo4j
make_pgpass "$owner" memoir
make_pgpass "$service" memoir_service
