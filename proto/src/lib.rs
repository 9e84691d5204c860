//! The contracts of wasmhost.
//!
//! Owns every type that crosses a boundary: the wire between primary and
//! worker ([`wire`]), the socket pair between a worker's supervisor and its
//! executors ([`executor`]), the client API ([`api`]), ids, limits and
//! versions. Knows nothing of sockets, clocks, wasmtime or the store.

pub mod api;
pub mod codec;
pub mod data;
pub mod executor;
pub mod files;
pub mod grants;
pub mod handshake;
pub mod http;
pub mod ids;
pub mod input;
pub mod jobs;
pub mod keep;
pub mod limits;
pub mod module;
pub mod outcome;
pub mod pattern;
pub mod plan;
pub mod program;
pub mod reach;
pub mod secret;
pub mod status;
pub mod time;
pub mod wire;

/// The WIT package of task modules, as text, so that every user of it sees one copy.
pub const TASK_WIT: &str = include_str!("../wit/task.wit");
/// The WIT package `wasi:config`, which [`TASK_WIT`] names.
pub const CONFIG_WIT: &str = include_str!("../wit/deps/config/store.wit");

pub use ids::{Digest, JobId, Lease, NodeIndex, TaskId, TokenId, WorkerId};
pub use time::Timestamp;
