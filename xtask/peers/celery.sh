#!/usr/bin/env bash
# Celery with Redis as broker and store of results.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_peer() {
    packages redis-server redis-server
    venv 'celery[redis]==5.7.0'
}

main "$place/venv/bin/python"
