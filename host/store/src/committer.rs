//! Group commit on a thread of its own: while one commit runs, everything else
//! queues and becomes the next one. A commit costs processor time besides its
//! rows, so under a flood of writes the next one waits a moment for more; where
//! few wait, and where somebody is alone, nothing does. Decides nothing about
//! what is written, and never goes on after an error.

use crate::{Store, StoreError};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wasmhost_core::record::Write;
use wasmhost_proto::limits::COMMIT_QUEUE;

/// The committer has ended: it was closed, or its store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the committer has ended; nothing more is made durable")]
pub struct Closed;

/// A group of this many writes is a flood: arrays write by the hundred.
const FLOOD: usize = 64;
/// Writes of a group past which a larger one gains nothing.
const GROUP: usize = 2048;
/// How long a flood is gathered, and a crowd at most.
const LINGER: Duration = Duration::from_millis(2);
/// Batches past which nobody is made to wait: the queue must not fill up.
const LINGER_BATCHES: usize = COMMIT_QUEUE / 8;
/// So many batches in a group come from clients that wait for each answer, and
/// are soon back: without waiting for them every other commit would hold one.
const CROWD: usize = 4;

struct Batch<T> {
    writes: Vec<Write>,
    ticket: T,
}

/// Makes batches durable in the order they came.
///
/// `durable` is given the tickets of a group's batches, in order, on the committer's
/// thread once the group is durable; the next commit waits for it. When the store
/// fails, `on_fatal` runs once, `durable` never again, and every later
/// [`Committer::commit`] is [`Closed`].
pub struct Committer<T> {
    queue: Option<SyncSender<Batch<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Committer<T> {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        store: Arc<dyn Store>,
        durable: impl FnMut(Vec<T>) + Send + 'static,
        on_fatal: impl FnOnce(StoreError) + Send + 'static,
    ) -> std::io::Result<Committer<T>> {
        Committer::over(move |writes| store.commit(writes), durable, on_fatal)
    }

    fn over(
        commit: impl Fn(&[Write]) -> Result<(), StoreError> + Send + 'static,
        durable: impl FnMut(Vec<T>) + Send + 'static,
        on_fatal: impl FnOnce(StoreError) + Send + 'static,
    ) -> std::io::Result<Committer<T>> {
        let (queue, batches) = sync_channel(COMMIT_QUEUE);
        let work = move || {
            if let Err(error) = run(commit, durable, &batches) {
                // Callers are refused before anybody hears of the failure.
                drop(batches);
                on_fatal(error);
            }
        };
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(work)?;
        Ok(Committer {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues a batch. Waits while [`COMMIT_QUEUE`] batches are queued.
    pub fn commit(&self, writes: Vec<Write>, ticket: T) -> Result<(), Closed> {
        let queue = self.queue.as_ref().ok_or(Closed)?;
        queue.send(Batch { writes, ticket }).map_err(|_| Closed)
    }

    /// Commits what is queued, then ends the thread.
    pub fn close(self) {}
}

impl<T> Drop for Committer<T> {
    fn drop(&mut self) {
        drop(self.queue.take());
        let thread = self.thread.take();
        // Dropped by what it told of its commits, it ends by itself.
        let other = |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = thread.filter(other) {
            // A panic in there was printed where it happened.
            let _ = thread.join();
        }
    }
}

fn run<T>(
    commit: impl Fn(&[Write]) -> Result<(), StoreError>,
    mut durable: impl FnMut(Vec<T>),
    batches: &Receiver<Batch<T>>,
) -> Result<(), StoreError> {
    let mut past = Past::default();
    while let Ok(first) = batches.recv() {
        let until = past.linger().map(|linger| Instant::now() + linger);
        let mut writes = first.writes;
        let mut tickets = vec![first.ticket];
        while tickets.len() < COMMIT_QUEUE
            && let Some(batch) = next(
                batches,
                until.filter(|_| past.gathers(writes.len(), tickets.len())),
            )
        {
            writes.extend(batch.writes);
            tickets.push(batch.ticket);
        }
        let begin = Instant::now();
        commit(&writes)?;
        past.note(writes.len(), tickets.len(), begin.elapsed());
        durable(tickets);
    }
    Ok(())
}

/// What the last groups were like: the next one will be like them.
#[derive(Default)]
struct Past {
    flood: bool,
    /// Batches of a group; falls slowly, since submissions and ends alternate.
    crowd: usize,
    /// How long the last commit took.
    took: Duration,
}

impl Past {
    fn note(&mut self, writes: usize, batches: usize, took: Duration) {
        self.flood = writes >= FLOOD;
        self.crowd = batches.max(self.crowd - self.crowd.div_ceil(4));
        self.took = took;
    }

    /// How long to wait for more.
    fn linger(&self) -> Option<Duration> {
        match (self.flood, self.crowd >= CROWD) {
            (true, _) => Some(LINGER),
            (false, true) => Some(LINGER.min(self.took / 4)),
            (false, false) => None,
        }
    }

    /// Whether a group is still too small to commit it at once.
    fn gathers(&self, writes: usize, batches: usize) -> bool {
        writes < GROUP && batches < LINGER_BATCHES && (self.flood || batches < self.crowd)
    }
}

/// What is queued, or comes before `until`.
fn next<T>(batches: &Receiver<Batch<T>>, until: Option<Instant>) -> Option<Batch<T>> {
    match batches.try_recv() {
        Ok(batch) => Some(batch),
        Err(_) => {
            let left = until?.saturating_duration_since(Instant::now());
            batches.recv_timeout(left).ok()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    /// A committer over a disk that tells which terms each commit holds, and
    /// finishes a commit, well or not, when it is told to.
    struct Bench {
        committer: Committer<u64>,
        commits: Receiver<Vec<u64>>,
        finish: Sender<bool>,
        done: Receiver<Vec<u64>>,
        fatal: Receiver<()>,
    }

    impl Bench {
        fn new() -> Bench {
            let (tell, commits) = channel();
            let (finish, finished) = channel();
            let (report, done) = channel();
            let (failed, fatal) = channel();
            let commit = move |writes: &[Write]| {
                let term = |write: &Write| match write {
                    Write::Term(term) => *term,
                    other => panic!("{other:?}"),
                };
                tell.send(writes.iter().map(term).collect()).unwrap();
                match finished.recv().unwrap() {
                    true => Ok(()),
                    false => Err(StoreError::Storage("the disk is full".into())),
                }
            };
            let on_fatal = move |error: StoreError| {
                assert!(error.to_string().contains("the disk is full"));
                failed.send(()).unwrap();
            };
            let durable = move |terms| report.send(terms).unwrap();
            let committer = Committer::over(commit, durable, on_fatal).unwrap();
            Bench {
                committer,
                commits,
                finish,
                done,
                fatal,
            }
        }

        fn commit(&self, term: u64) -> Result<(), Closed> {
            self.committer.commit(vec![Write::Term(term)], term)
        }

        /// What was reported as durable, once nobody can report any more.
        fn reported(self) -> Vec<u64> {
            let Bench {
                committer, done, ..
            } = self;
            committer.close();
            done.iter().flatten().collect()
        }
    }

    #[test]
    fn what_queues_during_a_commit_is_the_next_one() {
        let bench = Bench::new();
        bench.commit(1).unwrap();
        assert_eq!(bench.commits.recv(), Ok(vec![1]));
        (2..=4).for_each(|term| bench.commit(term).unwrap());
        assert!(
            bench.done.try_recv().is_err(),
            "nothing is durable before its commit has ended"
        );
        bench.finish.send(true).unwrap();
        assert_eq!(bench.commits.recv(), Ok(vec![2, 3, 4]));
        bench.finish.send(true).unwrap();
        assert_eq!(bench.reported(), [1, 2, 3, 4]);
    }

    #[test]
    fn after_a_flood_a_lone_batch_is_made_durable_all_the_same() {
        let bench = Bench::new();
        let flood = (0..FLOOD as u64).map(Write::Term).collect();
        bench.committer.commit(flood, 6).unwrap();
        assert_eq!(bench.commits.recv().unwrap().len(), FLOOD);
        bench.finish.send(true).unwrap();
        bench.commit(7).unwrap();
        assert_eq!(bench.commits.recv(), Ok(vec![7]));
        bench.finish.send(true).unwrap();
        assert_eq!(bench.reported(), [6, 7]);
    }

    #[test]
    fn closing_commits_what_is_queued() {
        let bench = Bench::new();
        (1..=3).for_each(|term| bench.commit(term).unwrap());
        (1..=3).for_each(|_| bench.finish.send(true).unwrap());
        assert_eq!(bench.reported(), [1, 2, 3]);
    }

    #[test]
    fn after_an_error_nothing_is_durable_any_more() {
        let bench = Bench::new();
        bench.commit(1).unwrap();
        assert_eq!(bench.commits.recv(), Ok(vec![1]));
        bench.commit(2).unwrap();
        bench.finish.send(true).unwrap();
        assert_eq!(bench.commits.recv(), Ok(vec![2]));
        bench.commit(3).unwrap();
        bench.finish.send(false).unwrap();
        assert_eq!(bench.fatal.recv(), Ok(()));
        assert_eq!(bench.commit(4), Err(Closed));
        assert!(
            bench.commits.try_recv().is_err(),
            "nothing is tried after an error"
        );
        assert_eq!(bench.reported(), [1]);
    }
}
