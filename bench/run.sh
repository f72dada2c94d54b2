#!/usr/bin/env bash
# The comparison of docs/performance.md in one go: the yardstick, then payments with a channel that answers at once, then with
# the three simulators. `make bench` calls it. Figures as JSON go to the folder $METROPAY_BENCH_OUT (target/bench).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/database.sh
. bench/database.sh
cargo="${CARGO:-cargo}" seconds="${METROPAY_BENCH_SECONDS:-20}" tills="${METROPAY_BENCH_TILLS:-32}"
target="${CARGO_TARGET_DIR:-target}"
out="${METROPAY_BENCH_OUT:-$target/bench}"
mkdir -p "$out"
"$cargo" build --release -p metropay-server --bin metropay
metropay="$target/release/metropay"

echo "== yardstick"
bench/yardstick.sh "$address" "$seconds" | tee "$out/yardstick.txt"
yardstick="$(tail -1 "$out/yardstick.txt")"

pay() {
    local name="metropay_bench_${1}_$$"
    scratch "$name"
    echo "== payments, $1"
    "$metropay" bench --database "$server/$name" ${METROPAY_BENCH_REDIS:+--redis "$METROPAY_BENCH_REDIS"} --channel "$1" \
        --users 20000 --json "$out/pay-$1.json" pay --closed "$tills" --seconds "$seconds" --warmup 5
    sed -n 's/^ *"per_second": \([0-9.]*\),$/\1/p' "$out/pay-$1.json" | head -1 >"$out/pay-$1.txt"
}
pay instant
pay simulators

echo "== in all"
awk -v y="$yardstick" -v i="$(cat "$out/pay-instant.txt")" -v s="$(cat "$out/pay-simulators.txt")" 'BEGIN {
    printf "yardstick            %8.1f a second\n", y
    printf "payments, instant    %8.1f a second = %.2f of the yardstick (goal: 0.50)\n", i, i / y
    printf "payments, simulators %8.1f a second = %.2f of the yardstick (goal: 0.25)\n", s, s / y
}'
