//! The WASI context of an attempt: its standard streams, arguments and
//! environment, clocks of a millisecond, randomness, and the files that the attempt brings.
//! No network.

use crate::attempt::Attempt;
use crate::board::{Board, Pipe, Stream, Target};
use crate::files::{STATUS_FILE, STATUS_VARIABLE};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasmhost_proto::limits::MAX_HOST_CALL_BYTES;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::Failure;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// What clocks resolve: finer ones help only attacks by timing.
const RESOLUTION: Duration = Duration::from_millis(1);

/// The context of `attempt`. A command gets its input as standard input and its
/// standard output is the result; a task's standard output goes to its log.
pub(crate) fn context(
    attempt: &mut Attempt,
    kind: ModuleKind,
    board: &Board,
) -> Result<WasiP1Ctx, Failure> {
    let mut builder = WasiCtxBuilder::new();
    let stdout = if kind == ModuleKind::Task {
        Target::Log(Stream::Stdout)
    } else {
        let input = std::mem::take(&mut attempt.input);
        let script = attempt.script.iter();
        let script: Vec<&str> = script.flat_map(|s| ["-c", &s.source]).collect();
        builder
            .stdin(MemoryInputPipe::new(input))
            .arg(&attempt.name)
            .args(&script)
            .args(&attempt.args)
            .envs(&attempt.env);
        Target::Output
    };
    builder
        .stdout(Pipe::new(board.clone(), stdout))
        .stderr(Pipe::new(board.clone(), Target::Log(Stream::Stderr)))
        .wall_clock(WallClock)
        .monotonic_clock(MonotonicClock(Instant::now()))
        .max_random_size(MAX_HOST_CALL_BYTES as u64)
        .allow_blocking_current_thread(false)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if let Some(root) = &attempt.root {
        root.open(&mut builder)?;
        let taken = attempt.env.iter().any(|(name, _)| name == STATUS_VARIABLE);
        if kind != ModuleKind::Task
            && !taken
            && let Some(feed) = root.status()?
        {
            builder.env(STATUS_VARIABLE, STATUS_FILE);
            board.follow(feed);
        }
    }
    Ok(builder.build_p1())
}

struct WallClock;

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Duration::from_millis(now.unwrap_or_default().as_millis() as u64)
    }
}

/// Counts from the start of the attempt.
struct MonotonicClock(Instant);

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        RESOLUTION.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        self.0.elapsed().as_millis() as u64 * 1_000_000
    }
}
