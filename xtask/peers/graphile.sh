#!/usr/bin/env bash
# Graphile Worker, a queue on PostgreSQL for Node.js, with its settings for batches.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=0.17.3

install_peer() {
    [ -n "$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ] || packages postgres postgresql
    need python3 "install Python 3.9 or later"
    need npm "install Node.js 20 or later"
    [ "$(cat "$place/installed" 2>/dev/null)" = $version ] && return
    npm install --prefix "$place" --no-audit --no-fund --silent graphile-worker@$version >&2 ||
        absent "npm did not install graphile-worker, see above"
    echo $version >"$place/installed"
}

main python3
