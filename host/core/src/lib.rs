//! Every decision of wasmhost, and nothing else.
//!
//! Two plain state machines, [`primary::Primary`] and [`worker::Worker`]:
//! `handle(now, event)` changes state, `poll_effect()` hands out what is to be
//! done, `next_timeout()` says when to call again. Knows nothing of time, IO,
//! threads or async: they are arguments and effects.

pub mod clock;
pub mod data;
mod log;
pub mod prepared;
pub mod primary;
pub mod record;
mod rng;
pub mod worker;
