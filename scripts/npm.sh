#!/bin/sh
# Installs a tool from npm into .cache: `npm.sh prism|standard-webhooks|axe|lighthouse`. Says nothing
# and does nothing when it is there. Run by the tests and benchmarks that need it.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
case "$1" in
prism) package=@stoplight/prism-cli version=5.16.0 ;; # checks requests against an OpenAPI document
standard-webhooks) package=standardwebhooks version=1.1.1 ;; # the official library in JavaScript
axe) package=axe-core version=4.14.1 ;; # checks pages for accessibility
lighthouse) package=lighthouse version=13.5.0 ;; # gives pages marks
*) echo "npm.sh: nothing is called $1" >&2 && exit 2 ;;
esac
home="$root/.cache/$1"
[ "$(cat "$home/installed" 2>/dev/null || true)" = "$version" ] && exit 0
mkdir -p "$home"
npm install --prefix "$home" --no-audit --no-fund --loglevel=error "$package@$version" >&2
printf '%s\n' "$version" > "$home/installed"
