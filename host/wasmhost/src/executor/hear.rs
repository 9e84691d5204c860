//! What an executor says, believed only as far as it concerns its own runs and
//! keeps within their bounds. Anything else costs it its life. May be dropped while it
//! waits: a run leaves its seat only when there is room to tell of it.

use super::calls;
use super::drives::{asked, drives};
use super::ipc::Receiver;
use super::output::{Gather, GatherError, OutputData};
use super::placed::Placed;
use super::pool::{PoolEnd, PoolEvent};
use super::quiet;
use super::shared::Shared;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use tokio::net::unix::OwnedReadHalf;
use wasmhost_proto::executor::{Ended, FromExecutor, RunId};
use wasmhost_proto::limits::{
    MAX_EVENTS, MAX_FAILURE_TEXT, MAX_INLINE, MAX_LOG_BYTES, MAX_STATUS_BYTES, MAX_STATUS_VALUE,
    MAX_STATUS_VALUES,
};
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::status::{Status, Value};
use wasmhost_proto::wire::NodeSpec;
use wasmhost_proto::{Lease, TaskId};

/// A log's note on what was left out.
const LOG_NOTE: usize = 256;

/// One attempt.
type Key = (TaskId, Lease);

/// A message that an honest executor does not send.
pub(super) struct Violation(pub(super) String);

/// What is on a seat.
type Runs = BTreeMap<RunId, Placed>;

/// Outputs that are coming; none for one that cannot be kept.
type Outputs = HashMap<RunId, Option<Gather>>;

/// Reads until the executor closes its socket (none) or breaks the rules (why).
pub(super) async fn hear(
    shared: &Shared,
    seat: usize,
    mut receiver: Receiver<OwnedReadHalf>,
) -> Option<String> {
    let mut outputs = Outputs::new();
    let mut bulk = calls::Bulk::default();
    let why = loop {
        let message = match receiver.next().await {
            Ok(Some(message)) => message,
            Ok(None) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) => break error.to_string(),
        };
        if let Err(Violation(why)) = handle(shared, seat, message, &mut outputs, &mut bulk).await {
            break why;
        }
    };
    shared.lock().seats[seat].blame();
    Some(format!("broke the protocol: {why}"))
}

async fn handle(
    shared: &Shared,
    seat: usize,
    message: FromExecutor,
    outputs: &mut Outputs,
    bulk: &mut calls::Bulk,
) -> Result<(), Violation> {
    match message {
        FromExecutor::Ready => return Err(Violation("it said 'ready' twice".into())),
        FromExecutor::Loaded { error: None, .. } => {}
        FromExecutor::Loaded {
            digest,
            error: Some(error),
        } => {
            // Its runs end with the same reason.
            let error: String = error.chars().take(MAX_FAILURE_TEXT).collect();
            tracing::warn!(%digest, "an executor cannot load a module: {error}");
            let room = shared.room().await;
            // One of its own making is nobody's loss.
            if shared.lock().unload(seat, digest) {
                room.send(PoolEvent::Unloaded(digest));
            }
        }
        FromExecutor::Started(runs) => {
            // Noted before it is told: who has begun is charged.
            let started = begun(shared, seat, &runs)?;
            shared.send(PoolEvent::Started(started)).await;
        }
        FromExecutor::Status {
            run,
            mut status,
            mut log,
        } => {
            check_status(&status)?;
            let (task, lease, secret) = named(shared, seat, run, log.len())?;
            if let Some(spec) = secret {
                quiet::published(&mut status, &mut log, spec.secrets());
            }
            let event = PoolEvent::Status {
                task,
                lease,
                status,
                log,
            };
            shared.send(event).await;
        }
        FromExecutor::OutputChunk { run, bytes } => {
            push(shared, seat, run, &bytes, outputs).await?
        }
        FromExecutor::Ended(ended) => end_all(shared, seat, ended, outputs).await?,
        FromExecutor::Spawn { run, .. }
        | FromExecutor::CancelSpawned { run, .. }
        | FromExecutor::Await { run }
        | FromExecutor::NextRequest { run } => {
            let call = asked(message)?;
            drives(shared, seat, run, call).await?;
        }
        FromExecutor::Data {
            run,
            call,
            space,
            op,
        } => calls::pass_on(shared, seat, run, (call, space, op), bulk).await?,
        FromExecutor::Bulk { run, bytes } => bulk.push(shared, seat, run, bytes)?,
        FromExecutor::Program { run, call, op } => {
            calls::program(shared, seat, run, call, *op).await?;
        }
        FromExecutor::Http { run, call, request } => {
            calls::http(shared, seat, run, call, *request, bulk).await?;
        }
        FromExecutor::Returned(runs) => {
            let room = shared.room().await;
            room.send(PoolEvent::Returned(returned(shared, seat, &runs)?));
        }
    }
    Ok(())
}

pub(super) fn stranger(run: RunId) -> Violation {
    Violation(format!("run {run} is none of its own"))
}

/// Runs that have begun, under their own names.
fn begun(shared: &Shared, seat: usize, runs: &[RunId]) -> Result<Vec<Key>, Violation> {
    let mut state = shared.lock();
    let known = &mut state.seats[seat].runs;
    let begin = |run: &RunId| {
        let placed = known.get_mut(run).ok_or_else(|| stranger(*run))?;
        placed.begun = true;
        Ok((placed.task, placed.lease))
    };
    runs.iter().map(begin).collect()
}

/// Runs that never began, taken off the seat: all, or none if there is a lie among
/// them, because what was taken off is not charged.
fn returned(shared: &Shared, seat: usize, runs: &[RunId]) -> Result<Vec<Key>, Violation> {
    let mut state = shared.lock();
    let entry = &mut state.seats[seat];
    let Some(asked) = entry.asked.checked_sub(1) else {
        return Err(Violation("it gave back what nobody had asked for".into()));
    };
    entry.asked = asked;
    for run in runs {
        match entry.runs.get(run) {
            Some(placed) if !placed.begun => {}
            Some(_) => return Err(Violation(format!("run {run} had begun"))),
            None => return Err(stranger(*run)),
        }
    }
    let taken = runs.iter().filter_map(|run| entry.runs.remove(run));
    Ok(taken.map(|placed| (placed.task, placed.lease)).collect())
}

/// The run under its own name, with so much log counted; and its spec, if that has secrets.
fn named(
    shared: &Shared,
    seat: usize,
    run: RunId,
    log: usize,
) -> Result<(TaskId, Lease, Option<Arc<NodeSpec>>), Violation> {
    let mut state = shared.lock();
    let Some(placed) = state.seats[seat].runs.get_mut(&run) else {
        return Err(stranger(run));
    };
    placed.log_bytes += log;
    if placed.log_bytes > MAX_LOG_BYTES + LOG_NOTE {
        return Err(Violation(format!("run {run} has too long a log")));
    }
    let secret = placed.spec.secrets.is_some().then(|| placed.spec.clone());
    Ok((placed.task, placed.lease, secret))
}

fn check_status(status: &Status) -> Result<(), Violation> {
    let text = |value: Option<&Value>| match value {
        Some(Value::Text(text) | Value::Json(text)) => text.len(),
        _ => 0,
    };
    let values = status
        .values
        .iter()
        .map(|v| v.name.len() + text(Some(&v.value)));
    let events = status
        .events
        .iter()
        .map(|e| e.name.len() + text(e.value.as_ref()));
    let message = status.progress.as_ref().and_then(|p| p.message.as_ref());
    let within = status.values.len() <= MAX_STATUS_VALUES
        && status.events.len() <= MAX_EVENTS
        && values.chain(events).sum::<usize>() <= MAX_STATUS_BYTES
        && message.is_none_or(|m| m.len() <= MAX_STATUS_VALUE);
    match within {
        true => Ok(()),
        false => Err(Violation("a status is out of bounds".into())),
    }
}

/// Keeps a piece of output. A disk that is full is no fault of the executor's.
async fn push(
    shared: &Shared,
    seat: usize,
    run: RunId,
    bytes: &[u8],
    outputs: &mut Outputs,
) -> Result<(), Violation> {
    let gather = match outputs.entry(run) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => {
            let state = shared.lock();
            let Some(placed) = state.seats[seat].runs.get(&run) else {
                return Err(stranger(run));
            };
            let (path, max) = (state.output(run), placed.spec.limits.output);
            new.insert(Some(Gather::new(path, max)))
        }
    };
    let Some(gather) = gather else { return Ok(()) };
    match gather.push(bytes).await {
        Ok(()) => Ok(()),
        Err(GatherError::TooLong) => Err(Violation(format!("run {run} has too long an output"))),
        Err(GatherError::Write(error)) => {
            outputs.insert(run, None);
            if let Some(placed) = shared.lock().seats[seat].runs.get_mut(&run) {
                placed.verdict = Some(unkept(&error));
            }
            Ok(())
        }
    }
}

fn unkept(error: &io::Error) -> Box<Failure> {
    let message = format!("the output cannot be kept: {error}");
    Box::new(Failure::new(FailureKind::HostFault, message))
}

/// Ends runs, as many in one event as have their outputs at hand.
async fn end_all(
    shared: &Shared,
    seat: usize,
    all: Vec<Ended>,
    outputs: &mut Outputs,
) -> Result<(), Violation> {
    let mut all = all.into_iter();
    loop {
        let at_hand = |e: &&Ended| e.output.len() <= MAX_INLINE && !outputs.contains_key(&e.run);
        let small = all.as_slice().iter().take_while(at_hand).count();
        if small > 0 {
            end_small(shared, seat, all.by_ref().take(small)).await?;
        }
        match all.next() {
            Some(ended) => end_large(shared, seat, ended, outputs).await?,
            None => return Ok(()),
        }
    }
}

fn check_end(ended: &Ended) -> Result<(), Violation> {
    if let Some(report) = &ended.report {
        check_status(&report.status)?;
    }
    let text = ended.failure.as_ref().map_or(0, |f| {
        f.message.len() + f.backtrace.as_ref().map_or(0, String::len)
    });
    match text > 2 * MAX_FAILURE_TEXT {
        true => Err(Violation(format!(
            "run {} has too long a failure",
            ended.run
        ))),
        false => Ok(()),
    }
}

/// Takes the run off its seat: its end is known. It stays there if the end is a lie.
fn remove(runs: &mut Runs, ended: &Ended) -> Result<Placed, Violation> {
    check_end(ended)?;
    let run = ended.run;
    let placed = runs.get(&run).ok_or_else(|| stranger(run))?;
    let log = ended.report.as_ref().map_or(0, |report| report.log.len());
    if placed.log_bytes + log > MAX_LOG_BYTES + LOG_NOTE {
        return Err(Violation(format!("run {run} has too long a log")));
    }
    if ended.output.len() as u64 > placed.spec.limits.output {
        return Err(Violation(format!("run {run} has too long an output")));
    }
    runs.remove(&run).ok_or_else(|| stranger(run))
}

/// Ends runs whose outputs came with their ends.
async fn end_small(
    shared: &Shared,
    seat: usize,
    all: impl Iterator<Item = Ended>,
) -> Result<(), Violation> {
    let room = shared.room().await;
    let mut ends = Vec::with_capacity(all.size_hint().0);
    let result = take(&mut shared.lock().seats[seat].runs, all, &mut ends);
    // Those before a lie are off their seat: nobody else would end them.
    room.send(PoolEvent::Ended(ends));
    result
}

/// Takes runs off their seat, up to the first lie.
fn take(
    runs: &mut Runs,
    all: impl Iterator<Item = Ended>,
    ends: &mut Vec<PoolEnd>,
) -> Result<(), Violation> {
    for mut ended in all {
        let placed = remove(runs, &ended)?;
        let output = OutputData::Bytes(std::mem::take(&mut ended.output));
        ends.push(end(placed, ended, output));
    }
    Ok(())
}

/// Ends a run whose output is, or may be, in a file.
async fn end_large(
    shared: &Shared,
    seat: usize,
    ended: Ended,
    outputs: &mut Outputs,
) -> Result<(), Violation> {
    push(shared, seat, ended.run, &ended.output, outputs).await?;
    let mut gather = outputs.remove(&ended.run).flatten();
    let written = match &mut gather {
        Some(gather) => gather.flush().await,
        None => Ok(()),
    };
    let room = shared.room().await;
    let mut placed = remove(&mut shared.lock().seats[seat].runs, &ended)?;
    let output = match (written, gather) {
        (Ok(()), Some(gather)) => gather.finish(),
        (Ok(()), None) => OutputData::Bytes(Vec::new()),
        (Err(error), _) => {
            placed.verdict = Some(unkept(&error));
            OutputData::Bytes(Vec::new())
        }
    };
    room.send(PoolEvent::Ended(vec![end(placed, ended, output)]));
    Ok(())
}

fn end(placed: Placed, mut ended: Ended, output: OutputData) -> PoolEnd {
    if placed.spec.secrets.is_some() {
        quiet::ended(&mut ended, placed.spec.secrets());
    }
    PoolEnd {
        task: placed.task,
        lease: placed.lease,
        failure: placed.verdict.or(ended.failure),
        output,
        usage: ended.usage,
        report: ended.report,
    }
}
