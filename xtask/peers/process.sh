#!/usr/bin/env bash
# A plain process per task: `true`, two at a time. The floor of everything that starts processes.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_peer() {
    need python3 "install Python 3.9 or later"
    need xargs "install findutils"
}

main python3
