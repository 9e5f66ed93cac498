#!/bin/sh
# Installs Standard Webhooks' official JavaScript library into .cache/standard-webhooks. Says
# nothing and does nothing when it is there. Run by tests/contract/test_webhook_signatures.py.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
version=1.1.1
home="$root/.cache/standard-webhooks"
[ "$(cat "$home/installed" 2>/dev/null || true)" = "$version" ] && exit 0
mkdir -p "$home"
npm install --prefix "$home" --no-audit --no-fund --loglevel=error \
  "standardwebhooks@$version" >&2
printf '%s\n' "$version" > "$home/installed"
