#!/usr/bin/env bash
# A queue in a table of PostgreSQL: claims by SKIP LOCKED, in batches.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_peer() {
    [ -n "$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ] || packages postgres postgresql
    venv 'psycopg[binary]==3.3.9'
}

main "$place/venv/bin/python"
