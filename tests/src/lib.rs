//! wasmhost-tests
