#!/usr/bin/env bash
# Builds the images that tests run PostgreSQL 15 and Redis 7 in, out of Debian's packages: for machines that reach no registry.
# Does nothing when both are there and were built by these very scripts.
#
#   metropay-test/postgres:15   takes the settings of the official postgres:15 that tests use
#   metropay-test/redis:7       the same of redis:7
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=debian.sh
. "$here/debian.sh"

RECIPE=$(cat "$here"/{build-images,debian,postgres-entrypoint,redis-entrypoint}.sh | sha256sum | cut -c1-16)
is_built() { [ "$(docker image inspect -f '{{index .Config.Labels "metropay.recipe"}}' "$1" 2>/dev/null)" = "$RECIPE" ]; }

build_postgres() {
  local root=$work/postgres
  # The package would make a cluster of its own at once.
  mkdir -p "$root/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
  root_of "$root" postgresql-15
  # Compiled queries (LLVM) are two thirds of the size; tests have no query long enough to gain by them.
  rm -rf "$root"/usr/lib/llvm-* "$root"/usr/lib/*/libLLVM* "$root"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*}
  install -m 755 "$here/postgres-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
  mkdir -p "$root/docker-entrypoint-initdb.d"
  image_of "$root" metropay-test/postgres:15 "metropay.recipe=$RECIPE" <<'IMAGE'
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
IMAGE
}

build_redis() {
  local root=$work/redis
  root_of "$root" redis-server
  install -m 755 "$here/redis-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
  image_of "$root" metropay-test/redis:7 "metropay.recipe=$RECIPE" <<'IMAGE'
FROM scratch
ADD rootfs.tar /
VOLUME /data
WORKDIR /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
IMAGE
}

ensure() { # TAG BUILD_FUNCTION
  local begun=$SECONDS
  if is_built "$1"; then say "$1 is there"; return; fi
  need_debootstrap
  say "building $1 from Debian's packages (about a minute)"
  "$2"
  say "$1 built in $((SECONDS - begun)) s, $(docker image inspect -f '{{.Size}}' "$1" | awk '{ printf "%.0f MB", $1 / 1e6 }')"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/metropay-images.XXXXXX")
trap 'rm -rf "$work"' EXIT
PACKAGE_CACHE=$work/packages
mkdir -p "$PACKAGE_CACHE"
ensure metropay-test/postgres:15 build_postgres
ensure metropay-test/redis:7 build_redis
