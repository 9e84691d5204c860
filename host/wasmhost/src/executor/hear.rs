//! What an executor says, believed only as far as it concerns its own runs and
//! keeps within their bounds. Anything else costs it its life.

use super::ipc::Receiver;
use super::output::{Gather, GatherError, OutputData};
use super::places::{Placed, Shared};
use super::pool::{PoolEnd, PoolEvent};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::ErrorKind;
use tokio::net::unix::OwnedReadHalf;
use wasmhost_proto::executor::{Ended, FromExecutor, RunId};
use wasmhost_proto::limits::{
    MAX_EVENTS, MAX_FAILURE_TEXT, MAX_INLINE, MAX_LOG_BYTES, MAX_STATUS_BYTES, MAX_STATUS_VALUE,
    MAX_STATUS_VALUES,
};
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::status::{Status, Value};
use wasmhost_proto::{Lease, TaskId};

/// A log's note on what was left out.
const LOG_NOTE: usize = 256;

/// One attempt.
type Key = (TaskId, Lease);

/// A message that an honest executor does not send.
struct Violation(String);

/// Outputs that are coming; none for one that cannot be kept.
type Outputs = HashMap<RunId, Option<Gather>>;

/// Reads until the executor closes its socket (none) or breaks the rules (why).
pub(super) async fn hear(
    shared: &Shared,
    seat: usize,
    mut receiver: Receiver<OwnedReadHalf>,
) -> Option<String> {
    let mut outputs = Outputs::new();
    let why = loop {
        let message = match receiver.next().await {
            Ok(Some(message)) => message,
            Ok(None) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) => break error.to_string(),
        };
        if let Err(Violation(why)) = handle(shared, seat, message, &mut outputs).await {
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
            // One of its own making is nobody's loss.
            if shared.lock().unload(seat, digest) {
                shared.send(PoolEvent::Unloaded(digest)).await;
            }
        }
        FromExecutor::Started(runs) => {
            let started = begun(shared, seat, &runs)?;
            shared.send(PoolEvent::Started(started)).await;
        }
        FromExecutor::Status { run, status, log } => {
            check_status(&status)?;
            let (task, lease) = named(shared, seat, run, log.len())?;
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
        FromExecutor::Returned(runs) => {
            let returned = returned(shared, seat, &runs)?;
            shared.send(PoolEvent::Returned(returned)).await;
        }
    }
    Ok(())
}

fn stranger(run: RunId) -> Violation {
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

/// The run under its own name, with so much log counted.
fn named(
    shared: &Shared,
    seat: usize,
    run: RunId,
    log: usize,
) -> Result<(TaskId, Lease), Violation> {
    let mut state = shared.lock();
    let Some(placed) = state.seats[seat].runs.get_mut(&run) else {
        return Err(stranger(run));
    };
    placed.log_bytes += log;
    if placed.log_bytes > MAX_LOG_BYTES + LOG_NOTE {
        return Err(Violation(format!("run {run} has too long a log")));
    }
    Ok((placed.task, placed.lease))
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
            let message = format!("the output cannot be kept: {error}");
            if let Some(placed) = shared.lock().seats[seat].runs.get_mut(&run) {
                placed.verdict = Some(Box::new(Failure::new(FailureKind::HostFault, message)));
            }
            Ok(())
        }
    }
}

/// Ends runs in one event, as far as their outputs are at hand.
async fn end_all(
    shared: &Shared,
    seat: usize,
    all: Vec<Ended>,
    outputs: &mut Outputs,
) -> Result<(), Violation> {
    let mut ends = Vec::with_capacity(all.len());
    let mut result = Ok(());
    for ended in all {
        match end(shared, seat, ended, outputs).await {
            Ok(end) => ends.push(end),
            Err(violation) => {
                result = Err(violation);
                break;
            }
        }
    }
    // Those before a lie are off their seat: nobody else would end them.
    shared.send(PoolEvent::Ended(ends)).await;
    result
}

async fn end(
    shared: &Shared,
    seat: usize,
    ended: Ended,
    outputs: &mut Outputs,
) -> Result<PoolEnd, Violation> {
    check_end(&ended)?;
    match ended.output.len() > MAX_INLINE || outputs.contains_key(&ended.run) {
        true => end_large(shared, seat, ended, outputs).await,
        false => end_small(shared, seat, ended),
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
fn remove(shared: &Shared, seat: usize, ended: &Ended) -> Result<Placed, Violation> {
    let run = ended.run;
    let runs = &mut shared.lock().seats[seat].runs;
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

fn end_small(shared: &Shared, seat: usize, ended: Ended) -> Result<PoolEnd, Violation> {
    let placed = remove(shared, seat, &ended)?;
    Ok(PoolEnd {
        task: placed.task,
        lease: placed.lease,
        failure: placed.verdict.or(ended.failure),
        output: OutputData::Bytes(ended.output),
        usage: ended.usage,
        report: ended.report,
    })
}

async fn end_large(
    shared: &Shared,
    seat: usize,
    ended: Ended,
    outputs: &mut Outputs,
) -> Result<PoolEnd, Violation> {
    push(shared, seat, ended.run, &ended.output, outputs).await?;
    let output = match outputs.remove(&ended.run).flatten() {
        Some(gather) => gather.finish().await,
        None => Ok(OutputData::Bytes(Vec::new())),
    };
    let placed = remove(shared, seat, &ended)?;
    let mut failure = placed.verdict.or(ended.failure);
    let output = output.unwrap_or_else(|error| {
        let message = format!("the output cannot be kept: {error}");
        failure = Some(Box::new(Failure::new(FailureKind::HostFault, message)));
        OutputData::Bytes(Vec::new())
    });
    Ok(PoolEnd {
        task: placed.task,
        lease: placed.lease,
        failure,
        output,
        usage: ended.usage,
        report: ended.report,
    })
}
