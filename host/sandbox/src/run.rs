//! Runs one attempt: fresh store, instantiate, call, drop. The attempt shares
//! its thread with others, and ends at its call's end, its time limit or a kill.

use crate::attempt::{Attempt, Controls, Finished, Reporter};
use crate::board::{Board, Halt};
use crate::cpu::metered;
use crate::engine::{self, SandboxError};
use crate::outcome::{self, End};
use crate::program::{Entry, Linkers, LoadError, Program};
use crate::state::{self, State};
use crate::ticker::Ticker;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};
use wasmhost_proto::limits::{MAX_ARGS_BYTES, STATUS_COALESCE_MS};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmtime::{Engine, Store};

/// How to set up a [`Sandbox`].
#[derive(Clone, Copy, Debug)]
pub struct SandboxOptions {
    /// Attempts that may run at once.
    pub slots: u32,
}

/// The engine with its pool, linkers and ticker: one per process.
pub struct Sandbox {
    engine: Engine,
    linkers: Linkers,
    ticker: Ticker,
}

impl Sandbox {
    /// Reserves the pool and starts the ticker.
    pub fn new(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
        let engine = engine::engine(options.slots)?;
        let linkers = Linkers::new(&engine).map_err(|e| SandboxError::Engine {
            slots: options.slots,
            reason: format!("{e:#}"),
        })?;
        let ticker = Ticker::start(&engine).map_err(SandboxError::Ticker)?;
        Ok(Sandbox {
            engine,
            linkers,
            ticker,
        })
    }

    /// Maps and links a compiled module. `path` must be a file that
    /// [`crate::compile`] wrote on this machine and nobody else could change:
    /// it is native code and runs with the rights of the process.
    pub fn load(&self, path: &Path, kind: ModuleKind) -> Result<Program, LoadError> {
        self.linkers.load(path, kind)
    }

    /// Runs `attempt` to its end. Needs a tokio runtime with its timer.
    pub async fn run(
        &self,
        program: &Program,
        attempt: Attempt,
        controls: Controls,
        reporter: impl Reporter,
    ) -> Finished {
        let _awake = self.ticker.running();
        let begin = Instant::now();
        let (limits, kind) = (attempt.limits, program.kind());
        let board = Board::new(limits.output);
        if let Some(failure) = refuse(&attempt, program) {
            return finish(&board, Err(failure), Usage::default());
        }
        let deadline = begin + Duration::from_millis(limits.wall_ms);
        let mut attempt = attempt;
        let input = match kind {
            ModuleKind::Task => std::mem::take(&mut attempt.input),
            _ => Vec::new(),
        };
        let (state_controls, state_board) = (controls.clone(), board.clone());
        let root = attempt.root.clone();
        let store = state::store(
            &self.engine,
            kind,
            attempt,
            state_controls,
            state_board,
            deadline,
        );
        let mut store = match store {
            Ok(store) => store,
            Err(failure) => return finish(&board, Err(failure), Usage::default()),
        };
        let mut cpu = Duration::ZERO;
        let end = {
            let call = call(program, &mut store, input);
            supervise(
                metered(call, &mut cpu),
                &board,
                &controls,
                deadline,
                &reporter,
            )
            .await
        };
        let peak_memory = store.data().meter.peak();
        let result = outcome::judge(end, &board, &store.data().meter, &limits, kind);
        let result = match &root {
            Some(root) => result.map_err(|failure| root.judge(failure)),
            None => result,
        };
        drop(store);
        let usage = Usage {
            wall_us: begin.elapsed().as_micros() as u64,
            cpu_us: cpu.as_micros() as u64,
            peak_memory,
        };
        let mut finished = finish(&board, result, usage);
        finished.status.calls += controls.calls().made();
        finished
    }
}

fn refuse(attempt: &Attempt, program: &Program) -> Option<Failure> {
    if program.web && !attempt.network {
        let message = "the module imports `wasi:http`, and the task asks for no `network`";
        return Some(Failure::new(FailureKind::ModuleRejected, message));
    }
    let kind = program.kind();
    // As in C, each with its end.
    let script = attempt.script.iter().filter(|_| kind != ModuleKind::Task);
    let script: usize = script
        .map(|script| "-c".len() + script.source.len() + 2)
        .sum();
    let args: usize = attempt.args.iter().map(|a| a.len() + 1).sum();
    let args = script + args;
    let env: usize = attempt.env.iter().map(|(k, v)| k.len() + v.len() + 2).sum();
    (args + env > MAX_ARGS_BYTES).then(|| {
        let message = format!(
            "arguments and environment are {} bytes, over the limit of {MAX_ARGS_BYTES}",
            args + env
        );
        Failure::new(FailureKind::BadInput, message)
    })
}

/// Instantiates and calls the guest, and sends what it has left unsent or in files.
async fn call(
    program: &Program,
    store: &mut Store<State>,
    input: Vec<u8>,
) -> wasmtime::Result<End> {
    let end = enter(program, store, input).await;
    let state = store.data_mut();
    if !state.attempt.collect.is_empty()
        && outcome::is_success(&end)
        && let Err(halt) = state.collect().await
    {
        state.board.stop(&halt);
    }
    match state.finish_outputs().await {
        Err(why) if end.is_ok() => {
            let why = format!("the end of an output could not be kept: {why}");
            let halt = Halt::new(FailureKind::HostFault, why);
            state.board.stop(&halt);
            Err(halt.into())
        }
        _ => end,
    }
}

async fn enter(
    program: &Program,
    store: &mut Store<State>,
    input: Vec<u8>,
) -> wasmtime::Result<End> {
    match &program.entry {
        Entry::Task(pre) => {
            let task = pre.instantiate_async(&mut *store).await?;
            Ok(End::Task(task.call_run(store, &input).await?))
        }
        Entry::Command(pre) => {
            let command = pre.instantiate_async(&mut *store).await?;
            let result = command.wasi_cli_run().call_run(store).await?;
            Ok(End::Exit(i32::from(result.is_err())))
        }
        Entry::Core(pre) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
            start.call_async(store, ()).await?;
            Ok(End::Exit(0))
        }
    }
}

/// Drives the call, reports what it publishes, and drops it when it has to die.
pub(crate) async fn supervise(
    call: impl Future<Output = wasmtime::Result<End>>,
    board: &Board,
    controls: &Controls,
    deadline: Instant,
    reporter: &impl Reporter,
) -> Result<wasmtime::Result<End>, Halt> {
    let mut call = pin!(call);
    // Most attempts end before they first have to wait: these need no timers.
    if let Poll::Ready(end) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
        return Ok(end);
    }
    let mut killed = pin!(controls.killed());
    let mut timeout = pin!(sleep_until(deadline.into()));
    let coalesce = Duration::from_millis(STATUS_COALESCE_MS);
    let mut news = interval_at(tokio::time::Instant::now() + coalesce, coalesce);
    news.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = &mut killed => {
                return Err(Halt::new(FailureKind::Cancelled, "stopped on request"));
            }
            () = &mut timeout => {
                return Err(Halt::new(FailureKind::TimeLimit, ""));
            }
            end = &mut call => return Ok(end),
            _ = news.tick() => {
                if reporter.ready() && let Some((status, log)) = board.news() {
                    reporter.published(status, log);
                }
            }
        }
    }
}

fn finish(board: &Board, result: Result<Option<Vec<u8>>, Failure>, usage: Usage) -> Finished {
    let (status, log, stdout) = board.finish();
    let (failure, output) = match result {
        Ok(result) => (None, result.unwrap_or(stdout)),
        Err(failure) => (Some(failure), stdout),
    };
    Finished {
        failure,
        output,
        usage,
        status,
        log,
    }
}
