//! Workers' connections: frames in become events, messages out are
//! gathered into frames. Knows nothing of what the messages mean, save that a
//! result that is a blob must have arrived before it is believed.

use super::Shared;
use super::driver::Input;
use super::turns::Turns;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use wasmhost_core::primary::{Event, SessionId};
use wasmhost_link::{FrameReceiver, FrameSender, LinkError, LinkHandle, Listener, PrimaryLink};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{MAX_BATCH, PRIMARY_SHUTDOWN_MS, SESSION_OUTBOX};
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::wire::{End, PrimaryFrame, ResultData, ToPrimary, ToWorker, WorkerFrame};
use wasmhost_store::{BlobError, Blobs};

/// The way out to one worker. Dropped, the connection closes once what is
/// queued was sent.
pub(super) struct Outbox {
    messages: mpsc::Sender<ToWorker>,
    link: LinkHandle,
}

impl Outbox {
    /// Queues a message; false when the worker was disconnected because it does
    /// not read what it is sent.
    pub(super) fn send(&self, message: ToWorker) -> bool {
        match self.messages.try_send(message) {
            // A closed queue is a session that is about to be reported as gone.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                let why = format!("{SESSION_OUTBOX} messages wait to be read");
                tracing::warn!(remote = %self.link.remote(), "disconnected a worker: {why}");
                self.link.close(&why);
                false
            }
        }
    }

    /// Closes the connection at once.
    pub(super) fn close(&self, reason: &str) {
        tracing::info!(remote = %self.link.remote(), "closed a worker's connection: {reason}");
        self.link.close(reason);
    }
}

/// The tasks of sessions.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    readers: TaskTracker,
    writers: TaskTracker,
}

/// Takes workers in until the primary stops; gives the listener back, so that it
/// closes last.
pub(super) async fn accept(
    mut listener: Listener,
    shared: Arc<Shared>,
    turns: Arc<Turns>,
    sessions: Sessions,
) -> Listener {
    let mut last: SessionId = 0;
    while let Some(Some(link)) = shared.stop.run_until_cancelled(listener.accept()).await {
        last += 1;
        serve(last, link, &shared, &turns, &sessions);
    }
    listener
}

/// Lets the sessions send what is left, closes all connections, and waits for
/// everything of theirs to end.
pub(super) async fn end(accepting: JoinHandle<Listener>, sessions: Sessions) {
    let Sessions { readers, writers } = sessions;
    writers.close();
    let left = Duration::from_millis(PRIMARY_SHUTDOWN_MS);
    if timeout(left, writers.wait()).await.is_err() {
        let workers = writers.len();
        tracing::warn!("{workers} workers did not read their last messages in time");
    }
    if let Ok(listener) = accepting.await {
        listener.close("the primary is shutting down").await;
    }
    readers.close();
    readers.wait().await;
}

fn serve(
    session: SessionId,
    link: PrimaryLink,
    shared: &Arc<Shared>,
    turns: &Arc<Turns>,
    sessions: &Sessions,
) {
    let (worker, remote) = (link.worker, link.remote);
    tracing::info!(%worker, %remote, session, "a worker connected");
    let (sender, receiver, link) = link.split();
    let (messages, queue) = mpsc::channel(SESSION_OUTBOX);
    let outbox = Outbox { messages, link };
    sessions.writers.spawn(write(sender, queue, shared.term));
    let (shared, turns) = (shared.clone(), turns.clone());
    sessions.readers.spawn(async move {
        if turns
            .bring(Input::Connected(session, worker, outbox))
            .await
            .is_err()
        {
            return;
        }
        let end = read(session, receiver, &shared.blobs, &turns).await;
        tracing::info!(%worker, %remote, session, "a worker's connection ended: {end}");
        // Without a core nobody needs to know.
        let _ = turns.bring(Input::Disconnected(session)).await;
    });
}

/// Hands frames to the core until the connection ends; says why it did.
async fn read(
    session: SessionId,
    mut frames: FrameReceiver<WorkerFrame>,
    blobs: &Arc<Blobs>,
    turns: &Arc<Turns>,
) -> LinkError {
    loop {
        let mut messages = match frames.recv().await {
            Ok(frame) => frame.messages,
            Err(end) => return end,
        };
        if messages.len() > MAX_BATCH {
            let why = format!("a frame with {} messages", messages.len());
            frames.handle().close(&why);
            return LinkError::Protocol(why);
        }
        if messages
            .iter_mut()
            .any(|message| results(message).next().is_some())
        {
            let blobs = blobs.clone();
            let checked = tokio::task::spawn_blocking(move || {
                check_results(&blobs, &mut messages)?;
                Ok::<_, BlobError>(messages)
            });
            messages = match checked.await {
                Ok(Ok(messages)) => messages,
                Ok(Err(error)) => {
                    tracing::error!("cannot look for a worker's results: {error}");
                    frames.handle().close("the primary cannot read its disk");
                    return LinkError::Ended;
                }
                Err(_) => return LinkError::Ended,
            };
        }
        let frame = Event::Frame { session, messages };
        if turns.bring(Input::Event(frame)).await.is_err() {
            return LinkError::Ended;
        }
    }
}

/// The ends in a message that name a blob, and the blob.
fn results(message: &mut ToPrimary) -> impl Iterator<Item = (BlobRef, &mut End)> {
    let outcomes = match message {
        // Just read, and nobody else's.
        ToPrimary::Outcomes { items, .. } => Arc::make_mut(items).as_mut_slice(),
        _ => &mut [],
    };
    outcomes
        .iter_mut()
        .filter_map(|outcome| match &outcome.end {
            End::Success(ResultData::Blob(blob))
            | End::Failure(_, Some(ResultData::Blob(blob))) => {
                Some((blob.clone(), &mut outcome.end))
            }
            _ => None,
        })
}

/// Makes failures of results that did not arrive, and keeps the others until
/// their record names them.
fn check_results(blobs: &Blobs, messages: &mut [ToPrimary]) -> Result<(), BlobError> {
    for (blob, end) in messages.iter_mut().flat_map(results) {
        if blobs.keep(blob.digest)? != Some(blob.len) {
            let why = format!("its result of {} bytes did not reach the primary", blob.len);
            let failure = match end {
                End::Success(_) => Box::new(Failure::new(FailureKind::HostFault, why)),
                End::Failure(failure, _) => failure.clone(),
            };
            *end = End::Failure(failure, None);
        }
    }
    Ok(())
}

/// Sends what is queued, in as few frames as it fits, until nobody can queue more.
async fn write(
    mut frames: FrameSender<PrimaryFrame>,
    mut queue: mpsc::Receiver<ToWorker>,
    term: u64,
) {
    let mut messages = Vec::new();
    while queue.recv_many(&mut messages, MAX_BATCH).await > 0 {
        let mut left = vec![std::mem::take(&mut messages)];
        while let Some(messages) = left.pop() {
            let frame = PrimaryFrame { term, messages };
            match frames.send(&frame).await {
                Ok(()) => {}
                Err(LinkError::TooLarge(len)) => match halves(frame.messages) {
                    Some((first, second)) => left.extend([second, first]),
                    None => {
                        tracing::error!("a message of {len} bytes fits no frame; it is dropped")
                    }
                },
                // The reader reports it.
                Err(_) => return,
            }
        }
    }
    // Dropped, the connection would close over what is still on its way.
    frames.finish().await;
}

/// The same messages as two lists, both shorter; none when nothing can be divided.
fn halves(mut messages: Vec<ToWorker>) -> Option<(Vec<ToWorker>, Vec<ToWorker>)> {
    if messages.len() > 1 {
        let second = messages.split_off(messages.len() / 2);
        return Some((messages, second));
    }
    let ToWorker::Assign(mut runs) = messages.pop()? else {
        return None;
    };
    let second = match runs.as_mut_slice() {
        [] => return None,
        [run] if run.count() < 2 => return None,
        [run] => vec![run.split_off(run.count() / 2)],
        _ => runs.split_off(runs.len() / 2),
    };
    Some((vec![ToWorker::Assign(runs)], vec![ToWorker::Assign(second)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost_proto::input::Item;
    use wasmhost_proto::wire::{AssignRun, RunItems};
    use wasmhost_proto::{JobId, Lease};

    fn item(n: u32) -> Item {
        Item::Json(n.to_string())
    }

    fn assign(runs: &[(u32, u32)]) -> Vec<ToWorker> {
        let run = |&(first, len): &(u32, u32)| AssignRun {
            job: JobId(1),
            node: 0,
            lease: Lease {
                term: 1,
                attempt: 1,
            },
            first,
            items: RunItems::Items((first..first + len).map(item).collect()),
        };
        vec![ToWorker::Assign(runs.iter().map(run).collect())]
    }

    #[test]
    fn too_much_for_a_frame_is_halved() {
        let check = |whole: Vec<ToWorker>, want| assert_eq!(halves(whole), want);
        let poll = |n| vec![ToWorker::Poll; n];
        check(poll(3), Some((poll(1), poll(2))));
        check(poll(1), None);
        check(vec![], None);
        check(assign(&[]), None);
        check(assign(&[(5, 1)]), None);
        check(
            assign(&[(5, 3)]),
            Some((assign(&[(5, 1)]), assign(&[(6, 2)]))),
        );
        check(
            assign(&[(5, 3), (0, 1)]),
            Some((assign(&[(5, 3)]), assign(&[(0, 1)]))),
        );
    }
}
