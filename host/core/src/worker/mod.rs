//! The worker's state machine.
mod event;
pub use event::*;
