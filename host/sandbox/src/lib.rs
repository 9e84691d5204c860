//! Runs one attempt of a task in a WebAssembly sandbox.
//!
//! Owns the engine and its settings, the linkers and their host interfaces, the
//! bounds on a guest, and the naming of how it ended. Knows nothing of jobs,
//! queues or the primary; grants nothing ambient: no files, no network, no
//! environment but what the attempt carries.

mod attempt;
mod board;
mod calls;
mod collect;
mod compile;
mod cpu;
mod driver;
mod engine;
mod files;
mod host;
mod keyvalue;
mod limits;
mod outcome;
mod outputs;
mod program;
mod run;
mod snapshot;
mod standalone;
mod state;
mod still;
mod text;
mod ticker;
mod wasi;
mod web;

pub use attempt::{Attempt, Controls, Finished, Reporter};
pub use calls::{Ask, Request, Told};
pub use compile::{CompileError, compatibility, compile};
pub use driver::{Driver, DriverCall};
pub use engine::SandboxError;
pub use files::Root;
pub use program::{LoadError, Program};
pub use run::{Sandbox, SandboxOptions};
pub use standalone::{Standalone, StandaloneError, Standalones};
