//! wasmhost-guest
