#!/usr/bin/env bash
# `wasmtime run` for each task. Takes WASMTIME=FILE, or the one in PATH, else builds it
# from its crate with the least that it needs, which takes minutes.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=48.0.8

install_peer() {
    need python3 "install Python 3.9 or later"
    [ -n "${WASMTIME:-}" ] && return
    [ -x "$place/bin/wasmtime" ] && return
    command -v wasmtime >/dev/null && return
    need cargo "set WASMTIME, or install Rust"
    # From a folder without settings of cargo, which would change how it is built.
    (cd / && nice -n 19 cargo install --locked wasmtime-cli --version $version --no-default-features \
        --features run,compile,cranelift,cache,component-model,pooling-allocator,parallel-compilation \
        --root "$place" --target-dir "$place/build" >&2) || absent "wasmtime-cli was not built, see above"
    rm -rf "$place/build"
}

main python3
