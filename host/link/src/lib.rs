//! wasmhost-link
