#!/bin/sh
# Make the two databases and bring their tables up to this version of the server. May run as often as one likes: what is
# there is left, and an upgrade that was cut off goes on with the step it had not finished.
set -eu

SQL_PASSWORD=$(cat /run/secrets/postgres_password)
export SQL_PASSWORD
schemas=/etc/temporal/schema/postgresql/v12

bring_up() {
  database=$1 folder=$2
  set -- temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" --port "$DB_PORT" --user "$POSTGRES_USER" --db "$database"
  "$@" create
  "$@" setup-schema --version 0.0
  "$@" update-schema --schema-dir "$schemas/$folder/versioned"
}

bring_up "$DBNAME" temporal
bring_up "$VISIBILITY_DBNAME" visibility
