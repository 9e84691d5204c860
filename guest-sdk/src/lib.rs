//! What the author of a task sees: write one function, get a WebAssembly task.
//!
//! Owns the [`task`] attribute, the [`Context`] of a running attempt, typed
//! input and output, their schemas, and a stand-in for the platform to test
//! with ([`testing`]). Knows nothing of jobs, workers or the network.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use wasmhost::{Context, Schema, TaskError};
//!
//! #[derive(Deserialize, Schema)]
//! struct Order {
//!     /// Numbers to add up.
//!     numbers: Vec<u32>,
//! }
//!
//! #[derive(Serialize, Schema)]
//! struct Sum {
//!     sum: u64,
//! }
//!
//! /// Adds up numbers.
//! #[wasmhost::task]
//! fn run(ctx: &Context, order: Order) -> Result<Sum, TaskError> {
//!     let total = order.numbers.len() as u64;
//!     let mut sum = 0;
//!     for (done, number) in order.numbers.iter().enumerate() {
//!         ctx.check_cancelled()?;
//!         sum += u64::from(*number);
//!         ctx.progress(done as u64 + 1, total);
//!     }
//!     Ok(Sum { sum })
//! }
//! # fn main() {}
//! ```
//!
//! In `Cargo.toml`: `crate-type = ["cdylib", "rlib"]` under `[lib]`, and
//! `wasmhost-guest` and `serde` as dependencies.

#[doc(hidden)]
pub mod bindings;
mod checkpoint;
mod config;
mod context;
mod data;
mod driver;
mod error;
#[cfg(not(target_family = "wasm"))]
mod fake_data;
#[cfg(not(target_family = "wasm"))]
mod fake_jobs;
#[cfg(not(target_family = "wasm"))]
mod fake_keep;
#[cfg(not(target_family = "wasm"))]
mod fake_programs;
#[cfg(target_family = "wasm")]
mod guest;
mod http;
mod io;
mod jobs;
mod keep;
mod outputs;
mod program;
mod results;
#[doc(hidden)]
pub mod rt;
pub mod schema;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod throttle;
mod value;

pub use checkpoint::Checkpoint;
pub use config::Config;
pub use context::{Context, Level};
pub use data::{Data, DataError, Datum, Entry};
pub use driver::{Ended, Event, Request, SpawnError};
pub use error::TaskError;
pub use http::{HttpError, HttpParts, HttpRequest, HttpResponse};
pub use io::{Bytes, Input, Output};
pub use jobs::{ChildJob, JobError, JobState, JobStatus};
pub use outputs::{OutputStream, Outputs};
pub use program::{Command, Program, ProgramEnd, ProgramError, ProgramOutput, ProgramSaid};
pub use results::Results;
pub use schema::Schema;
pub use value::Value;
pub use wasmhost_guest_macros::{Schema, task};

pub use {serde, serde_json};

/// The examples of the guide are tested with this crate's own.
#[cfg(doctest)]
#[doc = include_str!("../../docs/sdk.md")]
struct Guide;
