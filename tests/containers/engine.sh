#!/usr/bin/env bash
# Makes sure that a container engine answers. One that runs is used as it is. Otherwise, as root on Debian or a kin of it, the
# distribution's own engine is installed and started; it stays when this script ends, so that the next run finds it.
#
#   METROPAY_DOCKERD_FLAGS   further options for the engine that is started here
#   METROPAY_DOCKERD_LOG     its log (/var/log/metropay-dockerd.log)
#
# Says what it does on standard error.
set -euo pipefail

log=${METROPAY_DOCKERD_LOG:-/var/log/metropay-dockerd.log}
say() { printf 'containers: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
answers() { command -v docker >/dev/null 2>&1 && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# answers_within SECONDS [PID]: also gives up when the process is gone
answers_within() {
  local end=$((SECONDS + $1))
  until answers; do
    [ "$SECONDS" -lt "$end" ] || return 1
    [ -z "${2:-}" ] || kill -0 "$2" 2>/dev/null || return 1
    sleep 0.2
  done
}

install_engine() {
  say "no engine; installing docker.io and iptables"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >&2
}

start_engine() {
  local pid
  say "starting dockerd, log in $log"
  # A session of its own and no stream of ours: nobody waits for it, and Ctrl-C does not reach it.
  # shellcheck disable=SC2086 # several options in one variable
  setsid nohup dockerd ${METROPAY_DOCKERD_FLAGS:-} >>"$log" 2>&1 </dev/null &
  pid=$!
  answers_within 60 "$pid" || { tail -n 30 "$log" >&2; fail "dockerd does not answer; METROPAY_DOCKERD_FLAGS may help (--iptables=false, --storage-driver=vfs)"; }
}

if ! answers; then
  [ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST=$DOCKER_HOST does not answer"
  [ "$(id -u)" = 0 ] || fail "no engine answers, and only root can start one: start Docker, or join its group"
  if ! command -v dockerd >/dev/null 2>&1; then
    command -v apt-get >/dev/null 2>&1 || fail "no engine answers, and this is no Debian: start Docker by hand"
    install_engine
  fi
  # Where systemd rules, the package has started it already.
  if ! answers_within 3; then start_engine; fi
fi
say "engine $(docker version --format '{{.Server.Version}} (API {{.Server.APIVersion}})')"
