#!/usr/bin/env bash
# Proves that a backup can be restored and that its books are sound: restores it into a PostgreSQL of its own, which nobody else reaches
# and which is removed at the end, and runs `metropay verify` on it.
#
#   deploy/restore-drill.sh BACKUP [BLOCK HASH]
#
# BACKUP is a dump (pg_dump --format=custom) or a base backup (pg_basebackup --format=tar, gzipped: its name ends in .tar.gz). BLOCK and HASH
# are the newest sealed block that was noted outside the database before the backup: the drill fails when the restored books do
# not hold it as it was. Docker is needed, and the images of compose.yaml: METROPAY_IMAGE, POSTGRES_IMAGE.
set -euo pipefail
backup=${1:?"a backup"} block=${2:-} hash=${3:-}
image=${METROPAY_IMAGE:-metropay:latest} postgres=${POSTGRES_IMAGE:-postgres:15}
drill=metropay-drill-$$
password=$(openssl rand -hex 16)
[ -r "$backup" ] || { echo "$backup cannot be read" >&2; exit 1; }

say() { printf 'drill: %s\n' "$*"; }
fail() { printf 'drill: FAILED: %s\n' "$*" >&2; exit 1; }
cleanup() {
  docker rm --force --volumes "$drill" >/dev/null 2>&1 || true
  docker volume rm --force "$drill" >/dev/null 2>&1 || true
  docker network rm "$drill" >/dev/null 2>&1 || true
}
trap cleanup EXIT

psql_in() { docker exec -i "$drill" psql --no-psqlrc -qtAX -v ON_ERROR_STOP=1 -U metropay -d metropay "$@"; }

serve() { # the restored server, on its own network
  docker run -d --name "$drill" --network "$drill" -v "$drill:/var/lib/postgresql/data" \
    -e POSTGRES_USER=metropay -e POSTGRES_DB=metropay -e POSTGRES_PASSWORD="$password" "$postgres" >/dev/null
  local tries=0
  until docker exec "$drill" pg_isready -q -h 127.0.0.1 -U metropay -d metropay; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { docker logs --tail 20 "$drill" >&2; fail "the restored PostgreSQL does not answer"; }
    sleep 0.5
  done
}

# An internal network: the drill cannot reach a channel or anything else.
docker network create --internal "$drill" >/dev/null
docker volume create "$drill" >/dev/null
begun=$SECONDS
case "$backup" in
  *.tar.gz)
    docker run --rm -i --network none -v "$drill:/restore" --entrypoint sh "$postgres" \
      -c 'cd /restore && tar -xzf - && chmod 700 . && chown -R postgres: .' <"$backup"
    serve
    # Its accounts are those of the day; the drill comes with a password of its own.
    psql_in -c "ALTER ROLE metropay PASSWORD '$password'"
    ;;
  *)
    serve
    docker exec -i "$drill" pg_restore --no-owner --exit-on-error -U metropay -d metropay <"$backup"
    ;;
esac
say "restored in $((SECONDS - begun)) s: $(psql_in -c "SELECT count(*) || ' payments, the newest of ' || coalesce(to_char(to_timestamp(max(created_at) / 1000) AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS'), 'never') FROM payment")"
say "newest sealed block: $(psql_in -F ' ' -c 'SELECT block_no, hash FROM block ORDER BY block_no DESC LIMIT 1')"
if [ -n "$block" ]; then
  [ "$(psql_in -v no="$block" <<<'SELECT hash FROM block WHERE block_no = :no')" = "$hash" ] || fail "block $block is not there as it was noted"
  say "block $block is there as it was noted"
fi
docker run --rm --network "$drill" --read-only --cap-drop ALL \
  -e METROPAY_DATABASE__URL="postgres://metropay:$password@$drill:5432/metropay" "$image" verify ||
  fail "the restored books are not sound"
say "the restored books are sound"
