//! The primary's state machine.
mod event;
pub use event::*;
