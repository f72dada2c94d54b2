#!/usr/bin/env bash
# Proves that the product's own image and compose.yaml work, on a machine that reaches no registry: the last stage of the Dockerfile is
# built on a base out of Debian's packages, around a binary built here, and the whole composition is started from it and looked at.
#
#   tests/containers/try-image.sh [BINARY]   (default: what cargo builds now, unoptimised)
#
# Needs root, openssl and curl; an engine and a compose command are installed where they are missing (Debian). Removes what it started.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=debian.sh
. "$here/debian.sh"

fail() { say "FAILED: $*"; exit 1; }
ok() { say "ok: $*"; }
is_there() { docker image inspect "$1" >/dev/null 2>&1; }

base_image() { # TAG PACKAGES...
  local tag=$1 root
  shift
  is_there "$tag" && return
  need_debootstrap
  say "building $tag from Debian's packages"
  root=$work/$(basename "${tag%%:*}")
  root_of "$root" "$@"
  image_of "$root" "$tag" <<'IMAGE'
FROM scratch
ADD rootfs.tar /
CMD ["bash"]
IMAGE
}

# The proxy's image is named and called as the official one is.
proxy_image() {
  base_image metropay-test/haproxy-base:2 haproxy
  mkdir -p "$work/proxy"
  cat >"$work/proxy/Dockerfile" <<'IMAGE'
FROM metropay-test/haproxy-base:2
USER haproxy
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
IMAGE
  DOCKER_BUILDKIT=0 docker build -q -t metropay-test/haproxy:2 "$work/proxy" >/dev/null 2>&1 || fail "the proxy's image"
}

server_image() { # BINARY
  local binary=$work/binary context=$work/context
  mkdir -p "$binary/out" "$context/deploy"
  strip --strip-debug -o "$binary/out/metropay" "$1"
  printf 'FROM scratch\nCOPY out /out\n' >"$binary/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -q -t metropay-test/binary:trial "$binary" >/dev/null 2>&1 || fail "the binary's image"
  # The last stage as it is; only where the binary comes from is another.
  { echo 'ARG RUNTIME'; sed -n '/^FROM .* AS server$/,$p' "$root/Dockerfile"; } |
    sed 's/--from=build /--from=metropay-test\/binary:trial /' >"$context/Dockerfile"
  cp -r "$root/config" "$context/"
  cp "$root/deploy/healthcheck.sh" "$context/deploy/"
  DOCKER_BUILDKIT=0 docker build -t metropay-test/metropay:trial --build-arg RUNTIME=metropay-test/debian:12 "$context" \
    >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; fail "the Dockerfile's last stage"; }
  ok "image of $(docker image inspect -f '{{.Size}}' metropay-test/metropay:trial | awk '{ printf "%.0f MB", $1 / 1e6 }')"
}

need_compose() {
  docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null 2>&1 || {
    say "installing docker-compose"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-compose >&2
  }
}

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# A fresh composition beside any other: project, network, port and secrets of its own. With the demo's settings where they are named.
composition() { # PUBLIC-URL [PROFILE ENV-FILE]
  { "$root/deploy/make-env.sh" "$1" trial-app; [ -z "${3:-}" ] || cat "$3"; } >"$work/env"
  set -a
  # shellcheck source=/dev/null
  . <(sed -E "s/^([A-Z_]+)=(.*)$/\1='\2'/" "$work/env")
  COMPOSE_PROFILES=${2:-}
  COMPOSE_PROJECT_NAME=metropay-trial METROPAY_BIND=127.0.0.1:18080 METROPAY_SUBNET=172.30.78.0/24 METROPAY_FILES=$(ulimit -Hn)
  METROPAY_IMAGE=metropay-test/metropay:trial PROXY_IMAGE=metropay-test/haproxy:2
  POSTGRES_IMAGE=${METROPAY_TEST_POSTGRES_IMAGE:-metropay-test/postgres:15} REDIS_IMAGE=${METROPAY_TEST_REDIS_IMAGE:-metropay-test/redis:7}
  set +a
  cd "$root"
  compose up -d >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; compose logs --tail 10 migrate node-a >&2; fail "compose up"; }
}

id_of() { compose ps -q "$1"; }
inside() { docker exec "$(id_of "$1")" "${@:2}"; }
# What a client asks: /readyz is the proxy's own question, and a node that drains answers it with no.
is_served() { curl -fsS -m 3 http://127.0.0.1:18080/healthz >/dev/null 2>&1; }
is_ready() { curl -fsS -m 3 http://127.0.0.1:18080/readyz >/dev/null 2>&1; }

until_ready() { # SECONDS
  local end=$((SECONDS + $1))
  until is_ready; do
    [ "$SECONDS" -lt "$end" ] || { compose logs --tail 30 >&2; fail "nothing answers behind the proxy"; }
    sleep 0.3
  done
}

check_confinement() {
  local node status
  for node in node-a node-b; do
    [ "$(inside "$node" id -u)" = 10001 ] || fail "$node runs as another user"
    inside "$node" bash -c '! touch /root/x /usr/x /etc/metropay/x /var/lib/metropay/x 2>/dev/null' || fail "$node can write into its root"
    status=$(inside "$node" cat /proc/1/status)
    grep -q '^CapEff:.*0000000000000000$' <<<"$status" || fail "$node has capabilities"
    grep -q '^NoNewPrivs:.*1$' <<<"$status" || fail "$node may gain privileges"
    inside "$node" metropay-healthcheck /readyz || fail "$node is not ready by its own check"
    ! inside "$node" metropay-healthcheck /nonsense || fail "the health check cannot fail"
  done
  ok "both nodes run without root, rights and anything to write to"
}

check_state() { # SERVICE WANTED
  local seen end=$((SECONDS + 60))
  until seen=$(docker inspect -f '{{.State.Health.Status}}' "$(id_of "$1")") && [ "$seen" = "$2" ]; do
    [ "$SECONDS" -lt "$end" ] || fail "$1 is $seen and not $2"
    sleep 0.5
  done
  ok "$1 is $2"
}

# Asks through the proxy, as a client does that asks once more when it gets no answer, while something happens.
check_while() { # WHAT COMMAND...
  local what=$1 asked=0 again=0
  shift
  "$@" >/dev/null 2>&1 &
  local happening=$! end=$((SECONDS + 8))
  while kill -0 "$happening" 2>/dev/null || [ "$SECONDS" -lt "$end" ]; do
    asked=$((asked + 1))
    is_served || { again=$((again + 1)); sleep 0.2; is_served || fail "$what: a client that asks once more got no answer"; }
    sleep 0.05
  done
  wait "$happening" || fail "$what"
  ok "$what: $asked questions answered, $again of them at the second time"
}

# The whole demo on the composition, which must be fresh; WHILE happens when its second part begins.
play() { # WHAT [WHILE...]
  local what=$1 id code
  shift
  compose down --volumes --timeout 30 >/dev/null 2>&1
  composition http://proxy:8080 demo "$root/deploy/demo.env"
  id=$(id_of play)
  if [ $# -gt 0 ]; then
    local end=$((SECONDS + 120))
    until docker logs "$id" 2>&1 | grep -q '^alipay'; do
      [ "$SECONDS" -lt "$end" ] || { docker logs --tail 30 "$id" >&2; fail "$what: the play does not come so far"; }
      sleep 0.1
    done
    "$@" >/dev/null || fail "$what: $*"
  fi
  code=$(timeout 300 docker wait "$id") || fail "$what: the play does not end"
  docker logs "$id" >"$work/play.log" 2>&1
  [ "$code" = 0 ] || { cat "$work/play.log" >&2; fail "$what"; }
  ok "$what: $(tail -n 1 "$work/play.log")"
}

# Whether a node completes payments, by its own figures.
completes() { # NODE
  local ask='exec 3<>/dev/tcp/127.0.0.1/8081; printf "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3; cat <&3'
  inside "$1" bash -c "$ask" | grep -q '^metropay_job_lease_held{job="complete_payments"} 1'
}

# The one that does not: how soon another takes that over is no matter of clients.
kill_a_node() {
  local node=node-a
  ! completes node-a || node=node-b
  docker kill "$(id_of "$node")"
}

verify() { compose run --rm --no-deps node-a verify >"$work/verify" 2>&1 || { cat "$work/verify" >&2; fail "metropay verify"; }; ok "metropay verify: $(grep -c ' ok ' "$work/verify") invariants hold"; }

# Backups as docs/operations.md makes them, restored as it says.
drill() {
  compose exec -T postgres pg_dump -U metropay --format=custom metropay >"$work/metropay.dump"
  compose exec -T -u postgres postgres pg_basebackup -U metropay -D - --format=tar --wal-method=fetch --checkpoint=fast | gzip >"$work/base.tar.gz"
  local backup
  for backup in metropay.dump base.tar.gz; do
    "$root/deploy/restore-drill.sh" "$work/$backup" >"$work/drill.log" 2>&1 || { cat "$work/drill.log" >&2; fail "the drill with $backup"; }
    ok "$backup restores: $(grep -c ' ok ' "$work/drill.log") invariants hold"
  done
}

work=$(mktemp -d "${TMPDIR:-/tmp}/metropay-trial.XXXXXX")
started=
cleanup() {
  [ -z "$started" ] || compose down --volumes --timeout 30 >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
PACKAGE_CACHE=$work/packages
mkdir -p "$PACKAGE_CACHE"

if [ -z "${1:-}" ]; then
  (cd "$root" && cargo build -q -p metropay-server --bin metropay)
  set -- "${CARGO_TARGET_DIR:-$root/target}/debug/metropay"
fi
settings=$("$here/ready.sh")
eval "$settings"
need_compose
base_image metropay-test/debian:12 ca-certificates
proxy_image
server_image "$1"
started=yes
composition https://pay.trial.invalid
until_ready 90
ok "the composition is ready after $SECONDS s in all"
check_confinement
check_state node-a healthy
check_state postgres healthy
check_state redis healthy
check_while "node-a is killed" docker kill "$(id_of node-a)"
compose up -d --no-recreate >/dev/null 2>&1
check_state node-a healthy
check_while "node-b is stopped" docker stop --time 40 "$(id_of node-b)"
compose up -d --no-recreate >/dev/null 2>&1
check_state node-b healthy
check_while "Redis is stopped" docker stop "$(id_of redis)"
verify
drill
play "the demo on two nodes"
play "the demo, and a node is killed in the middle" kill_a_node
ok "everything"
