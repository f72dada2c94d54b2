#!/bin/bash
# First process of the PostgreSQL test image. It honours of the official image's contract what tests use: POSTGRES_USER,
# POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA, and *.sql, *.sql.gz and *.sh in
# /docker-entrypoint-initdb.d at the first start. As there, "ready to accept connections" is said twice at the first start: on standard
# output by the server that only sets up, on standard error by the real one.
set -Eeuo pipefail
export PATH="/usr/lib/postgresql/15/bin:$PATH" PGDATA="${PGDATA:-/var/lib/postgresql/data}"

case "${1:-}" in
  -*) set -- postgres "$@" ;;
  postgres) ;;
  *) exec "$@" ;;
esac

if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -g postgres -m 700 "$PGDATA"
  install -d -o postgres -g postgres -m 2775 /var/run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}

client() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$user" "$@"; }

make_cluster() {
  # shellcheck disable=SC2086 # several options in one variable, as in the official image
  initdb --username="$user" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-}") --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust ${POSTGRES_INITDB_ARGS:-}
  printf 'host all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

fill_cluster() {
  local file
  [ "$database" = postgres ] || client --dbname postgres --set name="$database" <<<'CREATE DATABASE :"name";'
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sql) client --dbname "$database" --file "$file" ;;
      *.sql.gz) gunzip --stdout "$file" | client --dbname "$database" ;;
      *.sh) bash "$file" ;;
    esac
  done
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
    echo 'POSTGRES_PASSWORD is missing (or POSTGRES_HOST_AUTH_METHOD=trust)' >&2
    exit 1
  fi
  make_cluster
  # Nobody outside may take the set-up for the server.
  pg_ctl --wait --options="-c listen_addresses=''" start
  fill_cluster
  pg_ctl --wait --mode=fast stop
fi
shift
exec postgres -c listen_addresses='*' "$@"
