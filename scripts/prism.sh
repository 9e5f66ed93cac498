#!/bin/sh
# Installs Prism, the mock that checks requests against an OpenAPI document, into .cache/prism.
# Says nothing and does nothing when it is there. Run by tests/contract/test_prism.py.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
version=5.16.0
home="$root/.cache/prism"
[ "$(cat "$home/installed" 2>/dev/null || true)" = "$version" ] && exit 0
mkdir -p "$home"
npm install --prefix "$home" --no-audit --no-fund --loglevel=error \
  "@stoplight/prism-cli@$version" >&2
printf '%s\n' "$version" > "$home/installed"
