#!/usr/bin/env bash
# Makes the settings and secrets of compose.yaml, fresh, on standard output:
#
#   deploy/make-env.sh https://pay.example.com my-app >.env && chmod 600 .env
#
# First argument: the address under which channels, Apps and browsers reach the platform. Second: who issues the App's tokens (`iss`).
# Keep a copy of the master key apart from the database's backups: without it nothing that is sealed can be read again.
set -euo pipefail
umask 077
url=${1:?"the public https:// address"} issuer=${2:?"the issuer of the App tokens"}
hex() { openssl rand -hex "$1"; }

cat <<ENV
COMPOSE_PROJECT_NAME=metropay
POSTGRES_PASSWORD=$(hex 24)
REDIS_PASSWORD=$(hex 24)
METROPAY_SERVER__PUBLIC_URL=$url
METROPAY_SECRETS__MASTER_KEY=$(openssl rand -base64 32)
METROPAY_APP__ISSUER=$issuer
# The App's backend signs tokens with this secret. A public key (EdDSA, ES256, RS256) in a file is better: docs/operations.md.
METROPAY_APP__KEYS=[{kid="app-1",algorithm="HS256",secret="$(hex 32)"}]
ENV
