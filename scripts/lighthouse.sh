#!/bin/sh
# Installs Lighthouse, which gives pages marks, into .cache/lighthouse. Says nothing and does
# nothing when it is there. Run by benchmarks/console.py.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
version=13.5.0
home="$root/.cache/lighthouse"
[ "$(cat "$home/installed" 2>/dev/null || true)" = "$version" ] && exit 0
mkdir -p "$home"
npm install --prefix "$home" --no-audit --no-fund --loglevel=error "lighthouse@$version" >&2
printf '%s\n' "$version" > "$home/installed"
