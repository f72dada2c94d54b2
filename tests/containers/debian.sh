# Sourced: a container image out of Debian's packages, with no registry. Needs root, debootstrap and an engine.
# shellcheck shell=bash

SUITE=bookworm

say() { printf 'containers: %s\n' "$*" >&2; }

need_debootstrap() {
  [ "$(id -u)" = 0 ] || { say "only root can build images from packages"; return 1; }
  command -v debootstrap >/dev/null 2>&1 && return
  say "installing debootstrap"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >&2
}

# Where this machine gets its own packages from, or Debian's public address.
mirror() {
  local own=
  if [ -z "${DEBIAN_MIRROR:-}" ]; then
    own=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
      awk -v suite="$SUITE" '$2 == suite && $3 == "main" && !found { print $1; found = 1 }' || true)
  fi
  printf '%s\n' "${DEBIAN_MIRROR:-${own:-http://deb.debian.org/debian}}"
}

# root_of DIR PACKAGES...: the smallest Debian with these packages. Packages fetched once are kept in $PACKAGE_CACHE.
root_of() {
  local root=$1 include
  shift
  include=$(IFS=,; printf '%s' "$*")
  debootstrap --variant=minbase ${include:+--include="$include"} --cache-dir="$PACKAGE_CACHE" "$SUITE" "$root" "$(mirror)" \
    >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; say "debootstrap failed"; return 1; }
  # What no program in a container reads, and which mirror it came from.
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
    "$root"/usr/share/{doc,man,info,locale,lintian}/* "$root"/etc/apt/sources.list "$root"/etc/apt/apt.conf.d/*proxy*
}

# image_of ROOT TAG [LABEL=VALUE] <Dockerfile: one layer from scratch, so nothing is pulled. `rootfs.tar` is the root.
image_of() {
  local context=$1.context
  mkdir -p "$context"
  cat >"$context/Dockerfile"
  tar -C "$1" -cf "$context/rootfs.tar" .
  # The plain builder is in every engine; BuildKit is a package of its own.
  DOCKER_BUILDKIT=0 docker build -q ${3:+--label "$3"} -t "$2" "$context" >/dev/null 2>"$context.log" ||
    { cat "$context.log" >&2; say "docker build failed"; return 1; }
  rm -rf "$context" "$1"
}
