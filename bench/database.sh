# Scratch databases for measurements, on the PostgreSQL at $1 (postgres://user:password@host:port/database). Sourced, not run.
# $server is the address without a database; scratch NAME makes one that is dropped when the script ends.

address="${1:-${METROPAY_BENCH_DATABASE:-}}"
if [ -z "$address" ]; then
    cat >&2 <<'TOLD'
Name a PostgreSQL on which databases may be created and dropped:
    METROPAY_BENCH_DATABASE=postgres://user:password@127.0.0.1:5432/postgres
A local one for measurements (Debian: apt-get install postgresql-15), with fsync as it is in production:
    /usr/lib/postgresql/15/bin/initdb -D "$dir" -A trust -U postgres
    /usr/lib/postgresql/15/bin/pg_ctl -D "$dir" -l "$dir/log" start -o "-p 5433 -k $dir -c shared_buffers=512MB \
        -c shared_preload_libraries=pg_stat_statements"
TOLD
    exit 2
fi
server="${address%%\?*}"
server="${server%/*}"
scratched=()

scratch() {
    psql -qX -v ON_ERROR_STOP=1 "$address" -c "CREATE DATABASE $1"
    scratched+=("$1")
    # Counts statements, where the server has it loaded.
    psql -qX "$server/$1" -c 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements' >/dev/null 2>&1 || true
}

drop_scratched() {
    for name in "${scratched[@]}"; do
        psql -qX "$address" -c "DROP DATABASE IF EXISTS $name" || true
    done
}
trap drop_scratched EXIT
