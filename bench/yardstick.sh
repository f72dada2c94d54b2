#!/usr/bin/env bash
# How many payments a second PostgreSQL alone can keep on this machine, by pgbench with the least SQL that a payment needs:
#     bench/yardstick.sh [postgres://user:password@host:port/database] [seconds] [clients]
# Works in a scratch database of its own, and prints the figure alone on the last line.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=bench/database.sh
. "$here/database.sh"
seconds="${2:-20}" clients="${3:-16}"
name="metropay_yardstick_$$"
scratch "$name"
psql -qX -v ON_ERROR_STOP=1 "$server/$name" -f "$here/yardstick-schema.sql"
psql -AtX "$server/$name" -c "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync ' || current_setting('fsync')
    || ', synchronous_commit ' || current_setting('synchronous_commit') || ', shared_buffers ' || current_setting('shared_buffers')"
told="$(pgbench -n -M prepared -c "$clients" -j 2 -T "$seconds" -f "$here/pgbench-payment.sql" "$server/$name")"
echo "$told"
echo "$told" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
