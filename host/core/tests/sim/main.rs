//! A cluster in one thread, driven by a seed: clients, a primary, workers, a
//! network that delays and cuts, a disk that forgets what was not synced,
//! processes that die. What must always be true is checked at every step.
//!
//! `WASMHOST_SEED=123 cargo test -p wasmhost-core --test sim` replays one schedule
//! and prints it; `WASMHOST_SEEDS=10000` runs that many from a random start.
#![allow(clippy::unwrap_used)]

mod data;
mod disk;
mod drivers;
mod faults;
mod graphs;
mod jobs;
mod keep;
mod network;
mod primary;
mod requests;
mod rng;
mod witness;
mod worker;
mod world;

use std::time::{SystemTime, UNIX_EPOCH};

/// Schedules in every test run: the same ones, so that a red build is red again.
const SEEDS: u64 = 400;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|e| panic!("{name}={text}: {e}")),
    )
}

#[test]
fn every_schedule_keeps_the_promises() {
    if let Some(seed) = number("WASMHOST_SEED") {
        world::run(seed, true);
        return;
    }
    let (first, count) = match number("WASMHOST_SEEDS") {
        Some(count) => (
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs(),
            count,
        ),
        None => (1, SEEDS),
    };
    let mut seen = witness::Seen::default();
    for seed in first..first + count {
        let run = std::panic::catch_unwind(|| world::run(seed, false));
        match run {
            Ok(one) => seen.add(&one),
            Err(_) => panic!(
                "seed {seed} failed; to replay: \
                 WASMHOST_SEED={seed} cargo test -p wasmhost-core --test sim -- --nocapture"
            ),
        }
    }
    println!("seeds {first}..{}: {seen:?}", first + count);
    // Schedules in which nothing goes wrong prove nothing.
    if count >= SEEDS {
        seen.assert_everything_happened();
    }
}
