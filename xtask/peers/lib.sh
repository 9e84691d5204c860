# Shared by the scripts of the peers: where things go, how they are installed from
# the package registries, how a script says that it cannot. Starts and measures nothing.
#
#   NAME.sh install   put the peer into target/peers/NAME; does nothing the second time
#   NAME.sh run       measure it, one line of JSON on standard output
#   NAME.sh           both
#
# Exit code 3: it is not here and cannot be installed here; standard error says why.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peer=$(basename "$0" .sh)
todo=${1:-both}
root=${PEERS_DIR:-$here/../../target/peers}
mkdir -p "$root/$peer"
place=$(cd "$root/$peer" && pwd)
# What is imported from here leaves nothing in the source tree.
export PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 PEER_PLACE=$place

absent() {
    echo "$peer: $*" >&2
    exit 3
}

# need PROGRAM HINT: a program in PATH.
need() {
    command -v "$1" >/dev/null || absent "$1 is not in PATH: $2"
}

# packages PROGRAM PACKAGE…: a program of the system, by apt-get for who may.
packages() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        absent "$program is not in PATH: install it with your system's packages ($*)"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        absent "apt-get did not install $*: run apt-get update, or see above"
}

# venv PACKAGE…: a Python environment of its own, with exactly these.
venv() {
    need python3 "install Python 3.9 or later"
    local wanted="$*"
    [ "$(cat "$place/installed" 2>/dev/null)" = "$wanted" ] && return
    rm -rf "$place/venv"
    python3 -m venv "$place/venv" >&2 || absent "python3 makes no virtual environment: install python3-venv"
    "$place/venv/bin/pip" install -q --disable-pip-version-check "$@" >&2 ||
        absent "pip did not install $*, see above"
    echo "$wanted" >"$place/installed"
}

# main INTERPRETER: installs and measures as asked, with the script's `install_peer` and NAME_peer.py.
main() {
    case $todo in
        install) install_peer ;;
        run) exec "$1" "$here/${peer}_peer.py" ;;
        both)
            install_peer
            exec "$1" "$here/${peer}_peer.py"
            ;;
        *)
            echo "usage: $0 [install|run]" >&2
            exit 2
            ;;
    esac
}
