//! The world of a guest that runs ahead of all attempts: clocks stand still at zero,
//! seeds are fixed, so that the same guest leaves the same memory behind. Who asks for
//! randomness gets zeros and is found out: all attempts would share what it drew.

use crate::board::{Board, Pipe, Stream, Target};
use rand_core::TryRng;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wasmhost_proto::limits::{MAX_HANDLES, MAX_HOST_CALL_BYTES};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder, WasiView};

/// The context, and whether the guest has asked for randomness.
pub(crate) fn context(board: &Board) -> (WasiP1Ctx, Arc<AtomicBool>) {
    let drawn = Arc::new(AtomicBool::new(false));
    let pipe = |stream| Pipe::new(board.clone(), Target::Log(stream));
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(pipe(Stream::Stdout))
        .stderr(pipe(Stream::Stderr))
        .wall_clock(Zero)
        .monotonic_clock(Zero)
        .secure_random(Zeros(drawn.clone()))
        .insecure_random(Zeros(drawn.clone()))
        // Of hash tables alone, whose order nobody may rely on.
        .insecure_random_seed(0)
        .max_random_size(MAX_HOST_CALL_BYTES as u64)
        .allow_blocking_current_thread(false)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    let mut context = builder.build_p1();
    context.ctx().table.set_max_capacity(MAX_HANDLES);
    (context, drawn)
}

struct Zero;

impl HostWallClock for Zero {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Zero {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Gives zeros, and remembers that somebody asked.
struct Zeros(Arc<AtomicBool>);

impl TryRng for Zeros {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.store(true, Ordering::Relaxed);
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        self.try_next_u32().map(drop)
    }
}
