//! The worker's promises one by one.
#![allow(clippy::unwrap_used)]

mod bench;
mod data;
mod drivers;
mod runs;
mod talk;
