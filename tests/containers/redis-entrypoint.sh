#!/bin/bash
# First process of the Redis test image. As in the official one, options and *.conf files alone go to redis-server; it listens
# on all of the container's addresses without a password and runs as its own user.
set -euo pipefail

case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1:-}" = redis-server ]; then
  case " $* " in *' --protected-mode '*) ;; *) set -- "$@" --protected-mode no ;; esac
  case " $* " in *' --bind '*) ;; *) set -- "$@" --bind '* -::*' ;; esac
  if [ "$(id -u)" = 0 ]; then
    install -d -o redis -g redis /data
    set -- setpriv --reuid=redis --regid=redis --init-groups "$@"
  fi
fi
exec "$@"
