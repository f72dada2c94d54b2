#!/usr/bin/env bash
# Everything that tests in containers need: an engine, and images of PostgreSQL and Redis. The official images are taken where a
# registry can be reached, others are built. Prints the settings that tests need on standard output:
#
#   settings=$(tests/containers/ready.sh) && eval "$settings"
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

has() { docker image inspect "$1" >/dev/null 2>&1; }
pulls() { timeout "${METROPAY_PULL_SECONDS:-300}" docker pull -q "$1" >/dev/null 2>&1; }
say() { printf 'containers: %s\n' "$*" >&2; }

"$here/engine.sh"
postgres=${METROPAY_TEST_POSTGRES_IMAGE:-postgres:15}
redis=${METROPAY_TEST_REDIS_IMAGE:-redis:7}
for image in "$postgres" "$redis"; do
  has "$image" || pulls "$image" || {
    say "$image cannot be pulled"
    "$here/build-images.sh"
    postgres=metropay-test/postgres:15 redis=metropay-test/redis:7
    break
  }
done
printf 'export METROPAY_TEST_POSTGRES_IMAGE=%q METROPAY_TEST_REDIS_IMAGE=%q\n' "$postgres" "$redis"
