//! wasmhost-store
