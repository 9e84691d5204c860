//! wasmhost-sandbox
