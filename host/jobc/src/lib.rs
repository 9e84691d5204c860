//! Job definitions and task modules, judged before anything runs.
//!
//! Owns the way from a definition's text to a [`JobPlan`](wasmhost_proto::plan::JobPlan)
//! ([`parse`], [`plan`], [`check`]) and from uploaded bytes to an admitted module
//! ([`module::admit`]), with diagnostics that point into the text. Pure: knows no
//! store, no network, no file system, and runs nothing.

mod array;
mod batch;
mod catalogue;
pub mod compose;
pub mod condition;
mod definition;
mod driving;
mod files;
mod given;
mod grants;
mod graph;
mod literal;
pub mod module;
mod node;
pub mod params;
mod parse;
mod placeholder;
mod plan;
mod policy;
mod read;
mod report;
mod scope;
pub mod script;
mod source;
mod suggest;
mod values;

pub use batch::{batch_label, batches};
pub use catalogue::{Ambiguous, Catalogue, ModuleFacts};
pub use definition::{
    ArraySource, Asked, Bound, Definition, FileUse, InputSource, JobTable, List, Node, Spot,
};
pub use files::{FileEntry, FileSource, folder_file, folder_key};
pub use parse::parse;
pub use plan::{Planned, check, draft, outline, plan};
pub use source::{Engine, Image, Place, Script, ScriptText, Source};
pub use values::{duration_ms, size};
