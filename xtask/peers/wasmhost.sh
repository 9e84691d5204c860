#!/usr/bin/env bash
# wasmhost itself, by the same measures: a primary, a worker with two slots, its HTTP API.
# Takes WASMHOST=FILE, else what `cargo xtask peers` builds.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export WASMHOST=${WASMHOST:-$place/../../release/wasmhost}
export WASMHOST_TASK=${WASMHOST_TASK:-$place/../../tasks/fixtures/noop.wasm}

install_peer() {
    need python3 "install Python 3.9 or later"
    [ -x "$WASMHOST" ] || absent "$WASMHOST is missing: cargo build --release --workspace"
    [ -f "$WASMHOST_TASK" ] || absent "$WASMHOST_TASK is missing: cargo xtask build-tasks fixtures/noop"
}

main python3
