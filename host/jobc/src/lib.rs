//! Job definitions and task modules, judged before anything runs.
//!
//! Owns the way from a definition's text to a [`JobPlan`](wasmhost_proto::plan::JobPlan)
//! ([`parse`], [`plan`], [`check`]) and from uploaded bytes to an admitted module
//! ([`module::admit`]), with diagnostics that point into the text. Pure: knows no
//! store, no network, no file system, and runs nothing.

mod array;
mod batch;
mod catalogue;
pub mod condition;
mod definition;
mod given;
pub mod module;
mod parse;
mod placeholder;
mod plan;
mod policy;
mod read;
mod report;
mod source;
mod suggest;
mod values;

pub use batch::{batch_label, batches};
pub use catalogue::{Ambiguous, Catalogue, ModuleFacts};
pub use definition::{ArraySource, Definition, InputSource, JobTable, List, Node, Source, Spot};
pub use parse::parse;
pub use plan::{check, plan};
pub use values::{duration_ms, size};
