//! wasmhost-guest-macros
