#!/bin/sh
# Installs axe-core, which checks pages for accessibility, into .cache/axe. Says nothing and does
# nothing when it is there. Run by benchmarks/browser.py.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
version=4.14.1
home="$root/.cache/axe"
[ "$(cat "$home/installed" 2>/dev/null || true)" = "$version" ] && exit 0
mkdir -p "$home"
npm install --prefix "$home" --no-audit --no-fund --loglevel=error "axe-core@$version" >&2
printf '%s\n' "$version" > "$home/installed"
