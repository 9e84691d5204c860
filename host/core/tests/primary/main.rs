//! The primary's promises one by one. What happens when everything goes wrong at
//! once is the simulation's.
#![allow(clippy::unwrap_used)]

mod admission;
mod bench;
mod data;
mod driving;
mod failing;
mod files;
mod granting;
mod graphs;
mod handing_out;
mod keep;
mod outputs;
mod placing;
mod polling;
mod recovering;
mod serving;
mod submitting;
mod waiting;
