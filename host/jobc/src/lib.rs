//! wasmhost-jobc
