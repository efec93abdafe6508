#!/bin/sh
# The server reads its password from the environment only; this way it is in the environment of this one process, and
# neither in the compose file nor in what `docker inspect` shows.
set -eu
POSTGRES_PWD=$(cat /run/secrets/postgres_password)
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
