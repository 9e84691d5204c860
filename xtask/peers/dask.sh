#!/usr/bin/env bash
# Dask distributed: a scheduler and two workers of one thread each.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_peer() {
    venv distributed==2026.8.0
}

main "$place/venv/bin/python"
