#!/usr/bin/env bash
# Ray on one machine, two CPUs.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_peer() {
    venv ray==2.60.0
}

main "$place/venv/bin/python"
