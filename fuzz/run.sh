#!/usr/bin/env bash
# Fuzzes every parser (or the one that is named) for so many seconds each, and keeps the smallest set of inputs that reaches
# everything. Needs a C++ compiler. Usage: fuzz/run.sh [seconds] [target]
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
command -v cargo-fuzz >/dev/null 2>&1 || { echo "cargo-fuzz is missing; installing it (about two minutes)"; cargo install cargo-fuzz --locked; }
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
for source in libfuzzer/targets/${2:-*}.rs; do
  name=$(basename "$source" .rs)
  mkdir -p "corpus/$name" "$found/$name"
  echo "=== $name, $seconds s"
  # A stable toolchain has no sanitizers; a panic, an endless loop and too much memory are found without.
  cargo fuzz run --fuzz-dir libfuzzer -s none "$name" "$found/$name" "corpus/$name" -- \
    -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=5 -print_final_stats=1
  # What is kept beside the inputs with names: at most 200 inputs of at most 4 KiB and 48 KiB altogether, the smallest that
  # cover what was reached.
  mkdir -p "$found/$name.small"
  cargo fuzz run --fuzz-dir libfuzzer -s none "$name" "$found/$name.small" "$found/$name" "corpus/$name" -- -merge=1 -max_len=4096
  find "corpus/$name" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
  find "$found/$name.small" -type f -size -5k -printf '%s %p\n' | sort -n | head -200 |
    awk '(sum += $1) <= 49152 { print $2 }' | xargs -r -I{} cp {} "corpus/$name/"
  echo "=== $name: $(ls "corpus/$name" | wc -l) inputs kept"
done
