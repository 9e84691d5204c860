//! The client API over HTTP: one for the command line, the browser and everybody else.
//!
//! Views and requests in, the primary's [`Handle`](crate::primary::Handle) out.
//! Decides nothing, and holds nothing that a restart would miss. The contract is
//! `wasmhost_proto::api`, its paths are in `wasmhost_proto::api::paths`.
//!
//! | part | files |
//! |---|---|
//! | connections | `server`, `tls` |
//! | around every request | `edge`, `auth`, `problem`, `extract` |
//! | what can be asked | `jobs` (`submission`, `stored`, `capacity`), `definitions` (`pinned`), `driver` (`serving`), `tasks`, `results`, `status`, `events`, `workers`, `modules`, `libraries` (`linking`), `blobs`, `tokens`, `info`, `metrics`, `openapi` |
//! | from what people type to ids | `resolve`, `catalogue` |

mod auth;
mod batch;
mod blobs;
mod boards;
mod called;
mod capacity;
mod catalogue;
mod data;
mod definitions;
mod driver;
mod edge;
mod ended;
mod engines;
mod events;
mod extract;
mod fresh;
mod info;
mod jobs;
mod libraries;
mod linking;
mod metrics;
mod modules;
mod openapi;
mod outputs;
mod pinned;
mod problem;
mod resolve;
mod results;
mod router;
mod secrets;
mod server;
mod serving;
mod state;
mod status;
mod stored;
mod submission;
mod tasks;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod workers;

pub(crate) use server::{HttpOptions, Serving, serve};
pub(crate) use tls::Tls;
