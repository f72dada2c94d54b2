#!/bin/bash
# Asks this container's server over HTTP whether it is well: metropay-healthcheck [PATH], /healthz when nothing else is said. The image
# has no HTTP client, and bash can open a connection.
set -eu
port=${METROPAY_SERVER__LISTEN##*:}
exec 3<>"/dev/tcp/127.0.0.1/${port:-8080}"
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${1:-/healthz}" >&3
read -r -t 2 _ status _ <&3
[ "$status" = 200 ]
