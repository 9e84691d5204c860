#!/usr/bin/env bash
# HyperQueue. It is not on the crates registry: takes HQ=FILE, or `hq` in PATH, else builds
# HYPERQUEUE_SOURCE=FOLDER, or target/peers/hyperqueue/source, a checkout of
# It4innovations/hyperqueue.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_peer() {
    need python3 "install Python 3.9 or later"
    [ -n "${HQ:-}" ] && return
    [ -x "$place/bin/hq" ] && return
    command -v hq >/dev/null && return
    local source=${HYPERQUEUE_SOURCE:-$place/source}
    [ -d "$source/crates/hyperqueue" ] ||
        absent "no hq in PATH: set HQ to the program, or HYPERQUEUE_SOURCE to a checkout of It4innovations/hyperqueue"
    need cargo "install Rust, or set HQ to the program"
    need cmake "its solver is built with cmake and libclang; or set HQ to the program"
    # From a folder without settings of cargo, which would change how it is built.
    (cd / && nice -n 19 cargo install --locked --path "$source/crates/hyperqueue" \
        --root "$place" --target-dir "$place/build" >&2) || absent "hyperqueue was not built, see above"
    rm -rf "$place/build"
}

main python3
